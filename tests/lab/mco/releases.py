# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between the machine-config operators of OpenShift 4.8 to 4.21, said once."""

from __future__ import annotations

from dataclasses import dataclass

# The first z-streams that merge an ImageContentSourcePolicy with the newer mirror sets instead of refusing both.
_FIRST_TO_MERGE_KINDS = {13: 27, 14: 3}


@dataclass(frozen=True)
class Release:
    """One release; every property is a behaviour that some releases have and others lack."""

    version: str
    minor: int
    z: int

    @classmethod
    def of(cls, version: str) -> Release:
        """From "4.16" or "4.16.30"; a version without z-stream counts as a late one."""
        parts = [int(part) for part in version.split(".")]
        return cls(version, parts[1], parts[2] if len(parts) > 2 else 999)

    # registries.conf

    @property
    def serves_mirror_sets(self) -> bool:
        """Whether ImageDigestMirrorSet and ImageTagMirrorSet exist."""
        return self.minor >= 13

    @property
    def marks_each_mirror(self) -> bool:
        """Whether a mirror says pull-from-mirror; before, the registry says mirror-by-digest-only."""
        return self.minor >= 13

    @property
    def empty_header_keys(self) -> tuple[str, ...]:
        """The keys that the encoder writes with an empty value after the search registries."""
        keys: tuple[str, ...] = ()
        if self.minor >= 9:
            keys += ("short-name-mode",)
        if self.minor >= 19:
            keys += ("additional-layer-store-auth-helper",)
        return keys

    @property
    def knows_wildcards(self) -> bool:
        """Whether "*.example.com" is understood as a scope, rather than taken for a host name."""
        return self.minor >= 9

    @property
    def nested_scopes_inherit_mirrors(self) -> bool:
        return self.minor >= 11

    @property
    def checks_mirror_format(self) -> bool:
        """Whether sources and mirrors of an ImageContentSourcePolicy must look like repositories."""
        return self.minor >= 16

    @property
    def refuses_wildcard_sources(self) -> bool:
        """Whether a mirror rule for "*.example.com" is an error, as it was before the format was checked."""
        return 9 <= self.minor <= 15

    @property
    def blocks_by_scope(self) -> bool:
        """Whether the payload's repository is what must not be blocked; before, it was its whole registry."""
        return self.minor >= 11

    @property
    def conflict_scope(self) -> str:
        """How the refusal of two policies for one source ends."""
        if self.minor >= 15:
            return "imagedigestmirrorsets, imagetagmirrorsets, or imagecontentsourcepolicies"
        return "imagedigestmirrorsets and/or imagetagmirrorsets"

    @property
    def refuses_mixed_kinds(self) -> bool:
        """Early 4.13 and 4.14 render nothing while an ImageContentSourcePolicy stands beside a newer mirror set."""
        return self.z < _FIRST_TO_MERGE_KINDS.get(self.minor, 0)

    @property
    def indents_policy(self) -> bool:
        """Whether a generated policy.json is spread over lines."""
        return self.minor >= 17

    @property
    def shortens_atomic(self) -> bool:
        """Whether "atomic" in policy.json leaves out the scopes of more segments than it can match."""
        return self.minor >= 14

    @property
    def verifies_signatures(self) -> bool:
        """Whether ClusterImagePolicies are heeded."""
        return self.minor >= 20

    @property
    def demands_signed_releases(self) -> bool:
        """Whether a ClusterImagePolicy for release images is there from the beginning."""
        return self.minor >= 21

    @property
    def gates_on_sigstore(self) -> bool:
        """4.20 asks for an acknowledgement of Sigstore before the next minor version while mirrors are configured."""
        return self.minor == 20

    # MachineConfigs

    @property
    def ignition(self) -> str:
        """The version of the Ignition specification that rendered configurations follow."""
        if self.minor >= 19:
            return "3.5.0"
        return "3.4.0" if self.minor >= 14 else "3.2.0"

    @property
    def generated_kubelet_prefixes(self) -> tuple[str, ...]:
        """The first parts of the names of the kubelet configurations that every pool gets generated."""
        if self.minor >= 13:
            return ("97", "98")
        return ("97",) if self.minor >= 11 else ()

    # What a change does to a node

    @property
    def reloads_for_policy(self) -> bool:
        """Whether a new policy.json reloads CRI-O; before, it rebooted the node."""
        return self.minor >= 10

    @property
    def restarts_for_user_ca(self) -> bool:
        return self.minor >= 14

    @property
    def reloads_for_registries_d(self) -> bool:
        return self.minor >= 16

    @property
    def reloads_for_crio_policies(self) -> bool:
        return self.minor >= 18

    @property
    def node_disruption_policies(self) -> bool:
        """Whether MachineConfiguration/cluster says what a changed file does, and an administrator can change it."""
        return self.minor >= 17

    @property
    def drain_can_be_overridden(self) -> bool:
        """Whether the ConfigMap image-registry-override-drain is honoured."""
        return 14 <= self.minor <= 19

    @property
    def drains_for_idle_registries(self) -> bool:
        """Whether a registry without digest mirrors makes every change of registries.conf unsafe, itself unchanged."""
        return self.minor <= 9

    @property
    def daemon_drains(self) -> bool:
        """Whether a node's daemon cordons and drains itself, without asking the controller by annotation."""
        return self.minor <= 10

    # Words and places

    @property
    def taints_pending_nodes(self) -> bool:
        return self.minor >= 10

    @property
    def sorts_by_zone(self) -> bool:
        return self.minor >= 11

    @property
    def names_the_kind(self) -> bool:
        """Whether pool messages say "MachineConfig rendered-..." or only the name."""
        return self.minor >= 14

    @property
    def event_namespace(self) -> str:
        """Where events about pools and nodes are kept; both are cluster-wide objects."""
        return "openshift-machine-config-operator" if self.minor >= 14 else "default"

    # Certificates

    @property
    def controller_config_carries_cas(self) -> bool:
        """Whether registry CAs reach the nodes through the ControllerConfig, beside the node-ca DaemonSet."""
        return self.minor >= 14

    # The operator

    @property
    def names_idle_pause(self) -> bool:
        """Whether the operator tells a paused pool with nothing pending from one that something waits for."""
        return self.minor >= 16
