# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kubernetes API server with OpenShift's kinds, on loopback, that kubectl, oc and the Python clients work against.

`store` holds the objects, `server` speaks HTTP; between them lie small files with one decision each.
"""
