# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirror objects and image.config become 99-<role>-generated-registries, without delay.

One object that is refused stops all of them: what was generated before stays, and only the log tells.
"""

from __future__ import annotations

from . import configs, context, render, signing
from .machinery import SyncError
from .syncing import Controller

_KEY = "openshift-config"
_BUILT_IN = "machineconfiguration.openshift.io/mco-built-in"
_GATE = "ack-4.20-sigstore-in-4.21"
_GATE_TEXT = (
    "Mirrors are configured on this cluster. 4.21 verifies Sigstore signatures of release images: make sure that every "
    "mirror of quay.io/openshift-release-dev/ocp-release holds them before updating."
)


class ImageController(Controller):
    noun = "image config"
    where = "container_runtime_config_controller.go:499"

    def start(self) -> None:
        self.images = self.process.informer(context.IMAGES)
        self.pools = self.process.informer(context.POOLS)
        self.versions = self.process.informer(context.CLUSTER_VERSIONS)
        self.mirrors = self.process.mirror_informers()
        kinds = [context.CLUSTER_IMAGE_POLICIES] if self.release.verifies_signatures else []
        self.policies = [self.process.informer(kind) for kind in kinds]
        for informer in (self.images, self.versions, *self.mirrors, *self.policies):
            informer.subscribe(lambda old, new: self.queue.add(_KEY))

    async def sync(self, key: str) -> None:
        image, version = self.images.get("cluster"), self.versions.get("version")
        if not image or not version:
            return
        objects = self._objects()
        sources = (image.get("spec") or {}).get("registrySources") or {}
        limits = render.restrictions(
            self.release, sources, objects, _repository(version["status"]["desired"]["image"])
        )
        if limits.spared:
            self.log.info(
                "container_runtime_config_controller.go:845",
                f"error adding {list(limits.spared)} to blocked registries, cannot block the repository being used by "
                "the payload, skipping....",
            )
        pools = sorted(
            name for name, pool in self.pools.items.items() if _BUILT_IN in pool["metadata"].get("labels", {})
        )
        for pool in pools:
            # Templates are rendered anew for every pool, which takes its time: a change can come in between.
            await self.context.scale.sleep(self.context.jitter.between(0.06, 0.1))
            self._apply(pool, self._files(sources, limits, objects, version), image)
        if self.release.gates_on_sigstore:
            self._gate(bool(objects.icsp or objects.idms))

    def _objects(self) -> render.MirrorObjects:
        by_kind = [
            tuple(informer.items[name] for name in sorted(informer.items)) for informer in self.mirrors
        ]
        return render.MirrorObjects(*by_kind)

    def _files(
        self, sources: dict, limits: render.Restrictions, objects: render.MirrorObjects, version: dict
    ) -> dict:
        """The generated files by path; those for which nothing is configured are left to the templates."""
        files = {}
        signed = signing.demands([policy for informer in self.policies for policy in informer.items.values()])
        insecure = sources.get("insecureRegistries")  # an empty list counts as something configured
        try:
            if insecure is not None or limits.registries_blocked or objects:
                text = render.registries_conf(
                    self.release, objects, insecure or (), limits.registries_blocked
                )
                files[configs.REGISTRIES_CONF] = text
        except render.Refused as refused:
            raise _failure("registries config", refused) from None
        try:
            if limits.policy_blocked or limits.allowed or signed:
                payload = _repository(version["status"]["desired"]["image"])
                signing.check(self.release, signed, limits.policy_blocked, limits.allowed)
                policy = render.policy_json(self.release, limits.policy_blocked, limits.allowed, payload, signed)
                files[configs.POLICY_JSON] = policy
        except render.Refused as refused:
            raise _failure("policy json", refused) from None
        if signed:
            tables = render.effective_registries(self.release, objects, insecure or (), limits.registries_blocked)
            try:
                files[signing.SIGSTORE_REGISTRIES] = signing.sigstore_registries(self.release, signed, tables)
            except render.Refused as refused:
                raise _failure("sigstore registries config", refused) from None
        search = sources.get("containerRuntimeSearchRegistries")
        if search is not None:
            files[configs.SEARCH_REGISTRIES_CONF] = render.search_registries_conf(self.release, search)
        return files

    def _apply(self, pool: str, files: dict[str, str], image: dict) -> None:
        wanted = configs.generated_registries(self.release, pool, configs.owner_reference(image), files)
        present = self.store.item(context.MACHINE_CONFIGS, wanted["metadata"]["name"])
        if present is None:
            self.store.create(context.MACHINE_CONFIGS, wanted)
        elif present.object["spec"]["config"] != wanted["spec"]["config"]:
            self.store.update(context.MACHINE_CONFIGS, wanted)
        else:
            return
        self.log.info(
            "container_runtime_config_controller.go:1108",
            f"Applied ImageConfig cluster on MachineConfigPool {pool}",
        )

    def _gate(self, mirrors: bool) -> None:
        namespace = "openshift-config-managed"
        gates = self.store.get("configmaps", "admin-gates", namespace)
        if gates is None:
            raise SyncError('error syncing admin ack configmap: configmap "admin-gates" not found')
        self.store.patch(
            "configmaps", "admin-gates", {"data": {_GATE: _GATE_TEXT if mirrors else None}}, namespace
        )


def _failure(document: str, refused: render.Refused) -> SyncError:
    return SyncError(
        f"could not Create/Update MachineConfig: could not update {document} with new changes: {refused}"
    )


def _repository(reference: str) -> str:
    """The repository of an image reference by digest or tag."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
