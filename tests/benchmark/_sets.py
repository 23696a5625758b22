# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three sets of images that are mirrored, each made of incompressible layers, the same on every machine."""
from __future__ import annotations

from collections import namedtuple

from lab import images

# source: host/path@digest; path and tag: where it goes on any mirror
Item = namedtuple("Item", "source path tag")

KB, MB = 1000, 1000 * 1000


OWN = (5, 0)  # the image of set R, and its layer, that something is done to


def own_layer():
    """A layer of set R that one image has alone."""
    return images.bulk("own-%d-%d" % OWN, 126 * KB)


def release(shelf, count=100):
    """R: a release. 100 images of one repository, three layers that all share and two of their own."""
    shared = [images.bulk("base-%d" % n, 4 * MB) for n in range(3)]
    made = [shelf.image("release", shared + [images.bulk("own-%d-%d" % (n, m), 126 * KB) for m in range(2)])
            for n in range(count)]
    return [Item(image.reference, "ocp/release", "t%d" % n) for n, image in enumerate(made)]


def catalog(shelf, count=40, repositories=20):
    """C: a catalog. 40 lists of two architectures in 20 repositories, four layers that all share and one each."""
    shared = [images.bulk("operand-base-%d" % n, 2 * MB) for n in range(4)]
    found = []
    for n in range(count):
        path = "operands/number-%d" % (n % repositories)
        both = [shelf.image(path, shared + [images.bulk("operand-%d-%s" % (n, architecture), 112 * KB)],
                            architecture=architecture) for architecture in ("amd64", "arm64")]
        found.append(Item(shelf.index(path, both).reference, "olm/number-%d" % (n % repositories), "t%d" % n))
    return found


def payload(shelf, count=31):
    """P: large layers. 31 images of one repository, one layer that all share and two of their own."""
    base = images.bulk("payload-base", 9 * MB)
    made = [shelf.image("payload", [base] + [images.bulk("payload-%d-%d" % (n, m), 6300 * KB) for m in range(2)])
            for n in range(count)]
    return [Item(image.reference, "ocp/payload", "t%d" % n) for n, image in enumerate(made)]


SETS = {"R": release, "C": catalog, "P": payload}
