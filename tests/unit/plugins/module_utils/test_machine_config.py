# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import gzip
import urllib.parse

import pytest
from ansible_collections.disconnected.openshift.plugins.module_utils import errors, machine_config, registries_conf
from ansible_collections.disconnected.openshift.plugins.module_utils.machine_config import (
    PULL_SECRET,
    REGISTRIES_CONF,
    Effects,
    Update,
    Wanted,
)

TEMPLATE = "unqualified-search-registries = ['registry.access.redhat.com', 'docker.io']\n"
HEADER = 'unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]\nshort-name-mode = ""\n'
RELEASE = "quay.io/openshift-release-dev/ocp-release"


def encoded(text, form="base64"):
    """The `contents` of an Ignition file in each of the forms that the operator writes."""
    data = text.encode("utf-8")
    if form == "percent":
        return {"source": "data:," + urllib.parse.quote(data), "compression": ""}
    if form == "gzip":
        return {"source": "data:;base64," + base64.b64encode(gzip.compress(data)).decode(), "compression": "gzip"}
    return {"source": "data:text/plain;charset=utf-8;base64," + base64.b64encode(data).decode()}


def config(name="rendered-worker-1", contents=None, units=(), labels=None, **spec):
    """A MachineConfig with {path: text}."""
    stored = [{"path": path, "mode": 420, "contents": encoded(text)} for path, text in (contents or {}).items()]
    return {"kind": "MachineConfig", "metadata": {"name": name, "labels": labels or {}},
            "spec": dict({"config": {"storage": {"files": stored}, "systemd": {"units": list(units)}}}, **spec)}


def registries(*entries):
    """registries.conf as 4.13 to 4.21 write it: (source, [mirror or (mirror, mode)], extra line)."""
    text = HEADER
    for source, mirrors, *extra in entries:
        text += '\n[[registry]]\n  prefix = ""\n  location = "%s"\n%s' % (source, "".join("  %s\n" % x for x in extra))
        for mirror in mirrors:
            mirror, mode = mirror if isinstance(mirror, tuple) else (mirror, "digest-only")
            text += '\n  [[registry.mirror]]\n    location = "%s"\n    pull-from-mirror = "%s"\n' % (mirror, mode)
    return text


class TestFiles:
    @pytest.mark.parametrize("form", ["base64", "percent", "gzip"])
    def test_every_form_in_which_the_operator_writes(self, form):
        machine = config()
        machine["spec"]["config"]["storage"]["files"] = [{"path": "/a", "contents": encoded("50 % é\n", form)}]
        assert machine_config.files(machine) == {"/a": "50 % é\n".encode("utf-8")}

    def test_an_empty_file_has_no_source(self):
        machine = config()
        machine["spec"]["config"]["storage"]["files"] = [{"path": "/a", "contents": {}}, {"path": "/b"}]
        assert machine_config.files(machine) == {"/a": b"", "/b": b""}

    @pytest.mark.parametrize("spec", [{}, {"config": None}, {"config": {"storage": {"files": None}}}, {"config": {}}])
    def test_a_config_without_files(self, spec):
        assert machine_config.files({"metadata": {"name": "99-worker-generated-registries"}, "spec": spec}) == {}

    @pytest.mark.parametrize("contents, expected", [
        ({"source": "data:;base64,c2VjcmV0!"}, "base64"),
        ({"source": "https://example.com/secret"}, "a data URL"),
        ({"source": "data:,secret", "compression": "gzip"}, "gzip"),
        ({"source": "data:,secret", "compression": "xz"}, "a data URL"),
    ])
    def test_what_cannot_be_decoded_is_named_and_not_quoted(self, contents, expected):
        machine = config()
        machine["spec"]["config"]["storage"]["files"] = [{"path": "/etc/a", "contents": contents}]
        with pytest.raises(errors.Corrupt) as caught:
            machine_config.files(machine)
        assert "/etc/a in MachineConfig rendered-worker-1" in caught.value.message
        assert expected in caught.value.message
        assert "secret" not in caught.value.message


class TestCompare:
    SECRET = {"auths": {"quay.io": {"auth": "cTpx"}, "mirror:5000": {"auth": "bTpt"}}}

    def secret(self, text):
        return machine_config.compare_pull_secret(self.SECRET, text.encode("utf-8"))

    def test_order_and_blanks_do_not_matter(self):
        assert self.secret('{ "auths": {"mirror:5000": {"auth":"bTpt"}, "quay.io": {"auth":"cTpx"}}}\n').matches

    def test_names_what_differs_and_never_a_credential(self):
        difference = self.secret('{"auths":{"quay.io":{"auth":"b2xk"},"cloud.openshift.com":{"auth":"eDp5"}}}')
        assert difference.missing == ((PULL_SECRET, "credentials of mirror:5000"),
                                      (PULL_SECRET, "the present credentials of quay.io"))
        assert difference.unexpected == ((PULL_SECRET, "credentials of cloud.openshift.com"),)

    def test_the_clusters_own_release_registry_may_come_on_top(self):
        assert self.secret('{"auths":{"quay.io":{"auth":"cTpx"},"mirror:5000":{"auth":"bTpt"},'
                           '"api-int.lab.example.com:22625":{"auth":"eA=="},"localhost:22625":{"auth":"eA=="}}}').matches

    def test_other_settings_count(self):
        assert self.secret('{"auths":{"quay.io":{"auth":"cTpx"},"mirror:5000":{"auth":"bTpt"}},"credsStore":"x"}'
                           ).missing == ((PULL_SECRET, "the settings beside the credentials"),)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"auths": 1}'])
    def test_a_file_that_is_no_pull_secret(self, text):
        assert self.secret(text).missing == ((PULL_SECRET, "a readable pull secret"),)

    def test_nothing_configured_matches_the_releases_own_file(self):
        assert machine_config.compare_registries((), TEMPLATE.encode()).matches
        assert machine_config.compare_registries((), HEADER.encode()).matches

    def test_registries_by_meaning_in_both_spellings(self):
        older = ('[[registry]]\nprefix = ""\nlocation = "quay.io/x"\nmirror-by-digest-only = true\n'
                 '[[registry.mirror]]\nlocation = "m/x"\n')
        expected = registries_conf.parse(registries(("quay.io/x", ["m/x"]))).registries
        assert machine_config.compare_registries(expected, older.encode()).matches

    @pytest.mark.parametrize("content", [None, b"[[registry", b"\xff"])
    def test_a_file_that_is_not_there_or_cannot_be_read(self, content):
        assert machine_config.compare_registries((), content).missing[0][0] == REGISTRIES_CONF

    def test_lacking_tells_both_files(self):
        wanted = Wanted(self.SECRET, tuple(registries_conf.parse(registries(("quay.io/x", ["m/x"]))).registries))
        lacks = machine_config.lacking(wanted, {REGISTRIES_CONF: TEMPLATE.encode()})
        assert lacks == [PULL_SECRET + " lacks: the whole file",
                         REGISTRIES_CONF + " lacks: quay.io/x is pulled from m/x by digest, then quay.io/x"]


WORKER = {machine_config.ROLE_LABEL: "worker"}
POOL = {"metadata": {"name": "worker"}, "spec": {"machineConfigSelector": {"matchLabels": WORKER}}}
INFRA = {"metadata": {"name": "infra"}, "spec": {"machineConfigSelector": {
    "matchExpressions": [{"key": machine_config.ROLE_LABEL, "operator": "In", "values": ["worker", "infra"]}]}}}


class TestOwner:
    SOURCES = [
        config("01-worker-container-runtime", {REGISTRIES_CONF: TEMPLATE}, labels=WORKER),
        config("99-worker-generated-registries", {REGISTRIES_CONF: HEADER}, labels=WORKER),
        config("50-infra-registries", {REGISTRIES_CONF: HEADER}, labels={machine_config.ROLE_LABEL: "infra"}),
    ]

    def test_a_later_name_wins(self):
        assert machine_config.owner(self.SOURCES, POOL, REGISTRIES_CONF, "4.12") == "99-worker-generated-registries"

    def test_a_config_without_the_file_owns_nothing(self):
        sources = self.SOURCES + [config("99-zz", {"/etc/other": "x"}, labels=WORKER)]
        assert machine_config.owner(sources, POOL, REGISTRIES_CONF, "4.16") == "99-worker-generated-registries"

    @pytest.mark.parametrize("version, name", [("4.14.9", "99-worker-generated-registries"),
                                               ("4.15.0", "50-infra-registries")])
    def test_a_pool_of_ones_own_comes_after_the_worker_from_4_15_on(self, version, name):
        assert machine_config.owner(self.SOURCES, INFRA, REGISTRIES_CONF, version) == name

    def test_a_pool_that_selects_nothing(self):
        pool = {"metadata": {"name": "odd"}, "spec": {"machineConfigSelector": {"matchLabels": {"x": "y"}}}}
        assert machine_config.owner(self.SOURCES, pool, REGISTRIES_CONF, "4.16") is None

    def test_who_keeps_the_mirrors_out(self):
        """A hand-made MachineConfig of an old guide sorts after the generated one."""
        sources = self.SOURCES + [config("worker-priv-reg-configuration", {REGISTRIES_CONF: HEADER}, labels=WORKER)]
        found = list(machine_config.obstacles(sources, POOL, [REGISTRIES_CONF], "4.16.3"))
        assert [(entry.kind, entry.name) for entry in found] == [("MachineConfig", "worker-priv-reg-configuration")]
        assert str(found[0]).startswith("MachineConfig worker-priv-reg-configuration owns %s in pool worker, over"
                                        % REGISTRIES_CONF)

    def test_a_name_that_is_nearly_the_operators(self):
        sources = self.SOURCES + [config("99-worker-registries", {REGISTRIES_CONF: HEADER}, labels=WORKER)]
        assert [entry.name for entry in machine_config.obstacles(sources, POOL, [REGISTRIES_CONF], "4.16.3")] == [
            "99-worker-registries"]

    def test_the_operators_own_configs_are_no_obstacle(self):
        sources = self.SOURCES + [config("00-worker", {PULL_SECRET: "{}"}, labels=WORKER), config(
            "99-worker-0b9f8e1c-6c1d-4d2a-9d4e-5b8f0a1c2d3e-registries", {REGISTRIES_CONF: HEADER},
            labels=WORKER)]
        assert not list(machine_config.obstacles(sources, POOL, [PULL_SECRET, REGISTRIES_CONF], "4.16"))

    @pytest.mark.parametrize("prefix, refuses", [("quay.io/a", True), ("quay.io/a/b", False), ("quay.io", False)])
    def test_rules_in_a_file_beside_it_take_the_place_of_the_same_prefix(self, prefix, refuses):
        path = machine_config.DROP_INS + "99-team.conf"
        content = '[[registry]]\nlocation = "%s"\n[[registry.mirror]]\nlocation = "other.example.com/a"\n' % prefix
        sources = self.SOURCES + [config("80-team", {path: content, "/etc/other": "x"}, labels=WORKER),
                                  config("81-search", {machine_config.DROP_INS + "01-x.conf": 'unqualified-search-registries = ["a"]\n'},
                                         labels=WORKER),
                                  config("82-broken", {machine_config.DROP_INS + "02-x.conf": "["}, labels=WORKER),
                                  config("83-far", {machine_config.DROP_INS + "03-x.conf": ""}, labels=WORKER)]
        sources[-1]["spec"]["config"]["storage"]["files"][0]["contents"] = {"source": "https://files.example.com/x"}
        wanted = registries_conf.parse('[[registry]]\nlocation = "quay.io/a"\n').registries
        [(found, refused)] = machine_config.drop_ins(sources, POOL, wanted)
        assert (found.name, refused) == ("80-team", refuses)
        assert path in str(found) and prefix in str(found) and ("take the place" in str(found)) is refuses

    def test_a_pool_without_the_workers_configs_is_named(self):
        pool = {"metadata": {"name": "odd"}, "spec": {"machineConfigSelector": {"matchLabels": {"x": "y"}}}}
        found = list(machine_config.obstacles(self.SOURCES, pool, [REGISTRIES_CONF], "4.16"))
        assert str(found[0]).startswith("MachineConfigPool odd selects no MachineConfig that has " + REGISTRIES_CONF)


@pytest.mark.parametrize("expression, chosen", [
    ({"operator": "In", "values": ["a", "b"]}, True), ({"operator": "In", "values": ["c"]}, False),
    ({"operator": "NotIn", "values": ["a"]}, False), ({"operator": "Exists"}, True),
    ({"operator": "DoesNotExist"}, False),
])
def test_selects_by_expression(expression, chosen):
    assert machine_config.selects({"matchExpressions": [dict(expression, key="k")]}, {"k": "a"}) is chosen


def test_an_empty_selector_chooses_all_and_a_missing_one_nothing():
    assert machine_config.selects({}, {"k": "a"})
    assert not machine_config.selects(None, {"k": "a"})


ONE = registries((RELEASE, ["m:5000/r"]))
TWO = registries((RELEASE, ["m:5000/r"]), ("quay.io/x", ["m:5000/x"]))
NEVER = registries((RELEASE, ["m:5000/r"], "blocked = true"))
TAGS = registries((RELEASE, [("m:5000/r", "tag-only")]))
BOTH = registries((RELEASE, ["m:5000/r", ("m:5000/r", "tag-only")]))
MORE = registries((RELEASE, ["m:5000/r", "n:5000/r"]))
SWAPPED = registries((RELEASE, ["n:5000/r", "m:5000/r"]))
INSECURE = registries((RELEASE, ["m:5000/r"]), ("lab:5000", [], "insecure = true"))
OLD_ONE = HEADER + ('[[registry]]\nprefix=""\nlocation="%s"\nmirror-by-digest-only=true\n'
                    '[[registry.mirror]]\nlocation="m:5000/r"\n' % RELEASE)
OLD_INSECURE = OLD_ONE + '[[registry]]\nprefix=""\nlocation="lab:5000"\ninsecure=true\n'
OLD_TWO = OLD_INSECURE + '[[registry]]\nprefix=""\nlocation="quay.io/x"\nmirror-by-digest-only=true\n' \
                         '[[registry.mirror]]\nlocation="m:5000/x"\n'


class TestDrain:
    """What the daemon's isSafeContainerRegistryConfChanges calls safe, release by release."""

    @pytest.mark.parametrize("old, new, version, safe", [
        (TEMPLATE, ONE, "4.16", True),
        (TEMPLATE, OLD_ONE, "4.8", True),
        (ONE, TWO, "4.16", True),
        (ONE, MORE, "4.13", True),
        (MORE, SWAPPED, "4.16", True),  # another order of the same mirrors
        (ONE, TEMPLATE, "4.16", False),
        (TWO, ONE, "4.21", False),
        (MORE, ONE, "4.16", False),
        (TEMPLATE, NEVER, "4.16", True),  # a new source that is blocked at once, with a digest mirror
        (ONE, NEVER, "4.16", False),
        (NEVER, ONE, "4.16", False),
        (TEMPLATE, TAGS, "4.13", False),
        (ONE, TAGS, "4.16", False),
        (TAGS, ONE, "4.16", True),  # from tags to digests only
        (ONE, BOTH, "4.16", False),
        (BOTH, ONE, "4.16", True),
        (ONE, INSECURE, "4.16", False),
        (INSECURE, ONE, "4.16", False),
        (OLD_INSECURE, OLD_TWO, "4.12", True),
        (OLD_INSECURE, OLD_TWO, "4.9", False),  # judges the insecure one as if it were new
        ("unqualified-search-registries = ['a.io', 'b.io']", "unqualified-search-registries = ['b.io', 'a.io']", "4.16",
         False),
        ("unqualified-search-registries = ['a.io']", "unqualified-search-registries = ['a.io', 'b.io']", "4.16", True),
    ])
    def test_what_is_safe(self, old, new, version, safe):
        reasons = machine_config.drain_reasons(registries_conf.parse(old), registries_conf.parse(new), version)
        assert (not reasons) is safe, reasons

    def test_the_reasons_name_what_changes(self):
        reasons = machine_config.drain_reasons(registries_conf.parse(TWO), registries_conf.parse(TAGS), "4.16")
        assert reasons == ["quay.io/x is removed", "mirror m:5000/r of %s is not for digests only" % RELEASE]


def contents(**texts):
    named = {"secret": PULL_SECRET, "registries": REGISTRIES_CONF, "policy": machine_config.POLICY_JSON,
             "search": "/etc/containers/registries.conf.d/01-image-searchRegistries.conf",
             "sigstore": "/etc/containers/registries.d/sigstore-registries.yaml", "ca": machine_config.USER_CA_BUNDLE,
             "chrony": "/etc/chrony.conf"}
    return {named[key]: text.encode() for key, text in texts.items()}


class TestEffects:
    """The table of openshift/machine-config-operator, one row a change and a release."""

    @pytest.mark.parametrize("old, new, version, action, drain", [
        ({"secret": "a"}, {"secret": "b"}, "4.8.57", "none", False),
        ({"secret": "a"}, {"secret": "b"}, "4.21.0", "none", False),
        ({"registries": TEMPLATE}, {"registries": OLD_ONE}, "4.8", "reload", False),
        ({"registries": TEMPLATE}, {"registries": ONE}, "4.16", "reload", False),
        ({"registries": ONE}, {"registries": TEMPLATE}, "4.21", "reload", True),
        ({"registries": TEMPLATE}, {"registries": TAGS}, "4.17", "reload", True),
        ({"policy": "a"}, {"policy": "b"}, "4.9", "reboot", True),
        ({"policy": "a"}, {"policy": "b"}, "4.10", "reload", False),
        ({"policy": "a"}, {"policy": "b"}, "4.21", "reload", False),
        ({}, {"search": "b"}, "4.8", "reboot", True),
        ({}, {"search": "b"}, "4.21", "reboot", True),
        ({}, {"sigstore": "b"}, "4.15", "reboot", True),
        ({}, {"sigstore": "b"}, "4.16", "reload", False),
        ({}, {"sigstore": "b"}, "4.18", "reload", False),
        ({}, {"ca": "b"}, "4.13", "reboot", True),
        ({}, {"ca": "b"}, "4.14", "restart", False),
        ({}, {"ca": "b"}, "4.17", "restart", False),
        ({"chrony": "a"}, {"chrony": "b"}, "4.16", "reboot", True),
        ({"chrony": "a"}, {"chrony": "b"}, "4.20", "reboot", True),
        ({"secret": "a", "registries": TEMPLATE}, {"secret": "b", "registries": ONE}, "4.16", "reload", False),
        ({"ca": "a", "registries": ONE}, {"ca": "b", "registries": TEMPLATE}, "4.16", "restart", True),
        ({"secret": "a"}, {"secret": "a"}, "4.16", "none", False),
    ])
    def test_table(self, old, new, version, action, drain):
        found = machine_config.effects(contents(**old), contents(**new), version)
        assert (found.action, found.drain) == (action, drain)

    def test_nothing_changed_has_no_reasons(self):
        assert machine_config.effects({}, {}, "4.16") == Effects("none", False, ())

    def test_a_single_node_is_never_drained(self):
        assert machine_config.effects(contents(registries=ONE), contents(registries=TEMPLATE), "4.16",
                                      single_node=True) == Effects("reload", False, (REGISTRIES_CONF + ": CRI-O is reloaded",))

    @pytest.mark.parametrize("version, drain", [("4.13", True), ("4.14", False), ("4.19", False), ("4.20", True)])
    def test_the_administrators_override_of_drains(self, version, drain):
        assert machine_config.effects(contents(registries=ONE), contents(registries=TEMPLATE), version,
                                      override_drain=True).drain is drain

    def test_the_reason_for_a_drain_is_told(self):
        found = machine_config.effects(contents(registries=ONE), contents(registries=TEMPLATE), "4.16")
        assert found.reasons == ("%s: CRI-O is reloaded and the node drained, since %s is removed"
                                 % (REGISTRIES_CONF, RELEASE),)

    POLICY = {"files": [{"path": REGISTRIES_CONF, "actions": [{"type": "Reboot"}]},
                        {"path": "/etc", "actions": [{"type": "Drain"}, {"type": "Restart",
                                                                         "restart": {"serviceName": "a.service"}}]},
                        {"path": "/etc/chrony.conf", "actions": [{"type": "None"}]}],
              "units": [{"name": "a.service", "actions": [{"type": "DaemonReload"}]}]}

    @pytest.mark.parametrize("new, version, action, drain", [
        ({"registries": ONE}, "4.17", "reboot", True),
        ({"registries": ONE}, "4.16", "reload", False),  # not served, so not asked
        ({"chrony": "x"}, "4.18", "none", False),  # the longest path counts
        ({"policy": "x"}, "4.18", "restart", True),
        ({"secret": "x"}, "4.18", "reboot", True),  # no policy for that path
    ])
    def test_the_administrators_policies(self, new, version, action, drain):
        found = machine_config.effects({}, contents(**new), version, node_disruption_policy=self.POLICY)
        assert (found.action, found.drain) == (action, drain)

    @pytest.mark.parametrize("difference, version, action", [
        (Update(rest=("osImageURL",)), "4.21", "reboot"),
        (Update(units=("a.service",)), "4.16", "reboot"),
        (Update(units=("a.service",)), "4.18", "reload"),
        (Update(units=("b.service",)), "4.18", "reboot"),
    ])
    def test_what_is_no_file(self, difference, version, action):
        assert machine_config.effects_of(difference, (), version, self.POLICY).action == action

    @pytest.mark.parametrize("version", ["", "latest", "4", "4.x"])
    def test_what_is_no_version(self, version):
        with pytest.raises(errors.InvalidInput):
            machine_config.effects({}, {}, version)


class TestPlanned:
    SECRET = {"auths": {"quay.io": {"auth": "cTpx"}}}
    RUNNING = config(contents={PULL_SECRET: '{"auths":{"quay.io":{"auth":"cTpx"}}}', REGISTRIES_CONF: TEMPLATE})

    def planned(self, registries_text, rendered=None, **more):
        wanted = Wanted(self.SECRET, tuple(registries_conf.parse(registries_text).registries))
        return machine_config.planned(self.RUNNING, rendered or self.RUNNING,
                                      machine_config.Target(wanted, **more), "4.16")

    def test_nothing_to_do(self):
        assert self.planned(TEMPLATE) == (Update(), [])

    def test_a_mirror_and_credentials(self):
        assert self.planned(ONE, rewrites_pull_secret=True) == (Update((REGISTRIES_CONF, PULL_SECRET)), [])

    def test_the_file_is_written_anew_although_it_means_the_same(self):
        assert self.planned(TEMPLATE, rewrites_registries=True) == (Update((REGISTRIES_CONF,)), [])

    def test_what_the_pool_has_pending_comes_with_it(self):
        rendered = config("rendered-worker-2", {PULL_SECRET: '{"auths":{"quay.io":{"auth":"cTpx"}}}',
                                                REGISTRIES_CONF: TEMPLATE, "/etc/chrony.conf": "x"},
                          units=[{"name": "a.service"}], osImageURL="quay.io/os@sha256:1")
        assert self.planned(TEMPLATE, rendered) == (Update(("/etc/chrony.conf",), ("a.service",), ("osImageURL",)), [])

    def test_signatures_are_looked_for_at_every_mirror(self):
        """Where a ClusterImagePolicy demands them, a mirror changes the file that says where."""
        signed = self.planned(ONE, signed_scopes=(RELEASE,))
        assert signed == (Update((REGISTRIES_CONF, machine_config.SIGSTORE_CONF)), [])
        assert self.planned(ONE, signed_scopes=("quay.io/elsewhere",)) == (Update((REGISTRIES_CONF,)), [])
        assert machine_config.effects_of(signed[0], (), "4.21").action == "reload"

    @pytest.mark.parametrize("scope, places", [
        ("quay.io/a", {"quay.io/a", "m.test/a", "m.test/t", "n.test/b", "quay.io/a/b"}),
        ("quay.io/a/b/c", {"quay.io/a/b/c", "n.test/b/c"}),
        ("quay.io", {"quay.io", "quay.io/any", "quay.io/a", "m.test/a", "m.test/t", "quay.io/a/b", "n.test/b"}),
        ("*.redhat.io", {"*.redhat.io", "any.redhat.io/any", "m.test/redhat/any"}),
        ("*.io", {"*.io", "any.io/any", "any.redhat.io/any", "m.test/redhat/any", "quay.io/a", "m.test/a", "m.test/t",
                  "quay.io/a/b", "n.test/b"}),
    ])
    def test_where_signatures_are_looked_for(self, scope, places):
        conf = registries_conf.parse("""
[[registry]]
location = "quay.io/a"
[[registry.mirror]]
location = "m.test/a"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "m.test/t"
pull-from-mirror = "tag-only"
[[registry]]
location = "quay.io/a/b"
[[registry.mirror]]
location = "n.test/b"
[[registry]]
prefix = "*.redhat.io"
[[registry.mirror]]
location = "m.test/redhat"
""")
        assert machine_config.signature_places(conf, (scope,)) == places
