# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import os
import shutil
import subprocess

import pytest

from ansible_collections.disconnected.openshift.plugins.module_utils import errors, node_files, registries_conf
from ansible_collections.disconnected.openshift.plugins.module_utils.machine_config import (
    PULL_SECRET, REGISTRIES_CONF, Wanted)

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----\n"
OTHER = PEM.replace("MIIB", "MIIC")
CA = node_files.CERTS_D + "/mirror.test:5000/ca.crt"
MIRRORED = ('[[registry]]\nprefix = ""\nlocation = "quay.io/x"\n'
            '[[registry.mirror]]\nlocation = "mirror.test:5000/x"\npull-from-mirror = "digest-only"\n')
SECRET = {"auths": {"mirror.test:5000": {"auth": "bTpt"}}}
WANTED = Wanted(SECRET, tuple(registries_conf.parse(MIRRORED).registries))
FILES = {PULL_SECRET: b'{"auths":{"mirror.test:5000":{"auth":"bTpt"}}}', REGISTRIES_CONF: MIRRORED.encode(),
         CA: PEM.encode()}

SHELLS = [found for found in (["sh"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(found[0])]


class TestReading:
    """The command, run as it is by real shells over a directory that is laid out as a node."""

    @pytest.fixture
    def root(self, tmp_path):
        for path, content in FILES.items():
            target = tmp_path / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return tmp_path

    @staticmethod
    def run(shell, root):
        argv = node_files.command(str(root))
        assert argv[0] == "sh"
        return subprocess.run(shell + argv[1:], capture_output=True, text=True, check=False)

    @pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
    def test_all_files_in_one_go(self, shell, root):
        answer = self.run(shell, root)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert node_files.parse(answer.stdout) == FILES

    @pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
    def test_what_is_not_there_is_left_out(self, shell, root):
        (root / PULL_SECRET[1:]).unlink()
        (root / CA[1:]).unlink()
        assert node_files.parse(self.run(shell, root).stdout) == {REGISTRIES_CONF: FILES[REGISTRIES_CONF]}

    def test_any_bytes_and_odd_names(self, root):
        odd = root / node_files.CERTS_D[1:] / "a b$(id)'\"" / "ca.crt"
        odd.parent.mkdir()
        odd.write_bytes(bytes(range(256)) * 40)
        (root / REGISTRIES_CONF[1:]).write_bytes(b"")
        found = node_files.parse(self.run(["sh"], root).stdout)
        assert found["/" + str(odd.relative_to(root))] == bytes(range(256)) * 40
        assert found[REGISTRIES_CONF] == b""

    def test_no_such_root(self, root):
        assert self.run(["sh"], root / "none").returncode != 0

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_a_file_that_cannot_be_read(self, root):
        (root / PULL_SECRET[1:]).chmod(0)
        assert self.run(["sh"], root).returncode != 0

    @pytest.mark.parametrize("output", ["", ":/a\nYQ==\n", "YQ==\n:\n", ":/a\nYQ\n:\n", ":/a\nsecret!\n:\n"])
    def test_an_answer_that_is_cut_off_or_no_answer(self, output):
        with pytest.raises(errors.Corrupt) as caught:
            node_files.parse(output)
        assert "secret" not in caught.value.message

    def test_line_ends_of_a_terminal(self):
        assert node_files.parse(":/a\r\nYQ==\r\n:\r\n") == {"/a": b"a"}


class TestCompare:
    def test_matches(self):
        assert node_files.compare(WANTED, {"mirror.test:5000": PEM}, FILES).matches

    def test_a_ca_wrapped_in_another_way_is_the_same(self):
        assert node_files.compare(WANTED, {"mirror.test:5000": PEM.replace("MIIB\n", "MIIB")}, FILES).matches

    def test_a_ca_may_be_base64_text_which_the_node_has_decoded_or_not(self):
        text = base64.encodebytes(PEM.encode()).decode()
        assert node_files.compare(WANTED, {"mirror.test:5000": text}, FILES).matches
        assert node_files.compare(WANTED, {"mirror.test:5000": PEM}, {**FILES, CA: text.encode()}).matches
        assert not node_files.compare(WANTED, {"mirror.test:5000": base64.b64encode(OTHER.encode()).decode()}, FILES).matches

    @pytest.mark.parametrize("cas, what", [
        ({"mirror.test:5000": OTHER}, "the present CA of mirror.test:5000"),
        ({"mirror.test:5000": PEM + OTHER}, "the present CA of mirror.test:5000"),
        ({"mirror.test": PEM}, "the CA of mirror.test"),  # a name without its port is another registry
    ])
    def test_a_ca_that_is_missing_or_another(self, cas, what):
        difference = node_files.compare(WANTED, cas, FILES)
        assert (difference.missing, difference.unexpected) == (((node_files.CERTS_D, what),), ())

    def test_the_cas_of_the_platform_are_not_judged(self):
        files = dict(FILES, **{node_files.CERTS_D + "/image-registry.openshift-image-registry.svc:5000/ca.crt": b"x"})
        assert node_files.compare(WANTED, {}, files).matches

    def test_an_empty_node_lacks_everything(self):
        difference = node_files.compare(WANTED, {"mirror.test:5000": PEM}, {})
        assert [path for path, _what in difference.missing] == [PULL_SECRET, REGISTRIES_CONF, node_files.CERTS_D]


class TestUse:
    def test_where_a_registry_is_named(self):
        assert node_files.use_of("mirror.test:5000", FILES) == (
            (REGISTRIES_CONF, "mirror.test:5000/x as a mirror of quay.io/x"),
            (PULL_SECRET, "credentials of mirror.test:5000"),
            (node_files.CERTS_D, "the CA of mirror.test:5000"))

    @pytest.mark.parametrize("registry", ["mirror.test", "mirror.test:500", "test:5000", "quay.io"])
    def test_another_port_or_a_part_of_the_name_is_another_registry(self, registry):
        assert node_files.use_of(registry, FILES) == ()

    def test_files_that_cannot_be_read_name_nothing(self):
        assert node_files.use_of("mirror.test:5000", {PULL_SECRET: b"{", REGISTRIES_CONF: b"["}) == ()
        assert node_files.use_of("mirror.test:5000", {}) == ()

    @pytest.mark.parametrize("document", [b"null", b"[]", b"{}", b'{"auths": null}', b'{"auths": ["mirror.test:5000"]}'])
    def test_credentials_that_are_none(self, document):
        assert node_files.use_of("mirror.test:5000", {PULL_SECRET: document}) == ()


class TestReach:
    @pytest.mark.parametrize("printed, why", [
        ("\n401\n0\n", ""),
        ("{}\n200\n0\n", ""),
        ("\n000\n60\n", "certificate is not trusted"),
        ("\n000\n6\n", "name is not known"),
        ("\n000\n92\n", "exit code 92"),
        ("<html>gone</html>\n404\n0\n", "HTTP 404"),
        ("127\n", "did not arrive whole"),
        ("", "did not arrive whole"),
    ])
    def test_what_curl_says(self, printed, why):
        told = node_files.why_not_reached(printed)
        assert why in told if why else told == ""

    def test_the_ca_is_an_argument_of_its_own(self):
        """Whatever is in it, the shell never reads it as a command."""
        argv = node_files.reach_command("m.test:5000", "$(reboot)")
        assert argv[-2:] == ["m.test:5000", "$(reboot)"] and "reboot" not in argv[2]

    def test_the_script_ends_with_status_and_code(self, tmp_path):
        """chroot and curl are stand-ins that show how they were called."""
        for name, text in (("chroot", 'shift; exec "$@"'), ("curl", 'echo "$*" >&2; printf "\\n401\\n"')):
            (tmp_path / name).write_text("#!/bin/sh\n%s\n" % text)
            (tmp_path / name).chmod(0o755)
        root = tmp_path / "root"
        (root / "run").mkdir(parents=True)
        (root / "etc/docker/certs.d/m.test:5000").mkdir(parents=True)
        (root / "etc/docker/certs.d/m.test:5000/ca.crt").write_text("CA")
        environment = dict(os.environ, PATH="%s:%s" % (tmp_path, os.environ["PATH"]))
        for ca, trusted in (("PEM", "--cacert /run/mirror-ca."), ("", "--cacert /etc/docker/certs.d/m.test:5000/ca.crt")):
            done = subprocess.run(node_files.reach_command("m.test:5000", ca, str(root)), env=environment, text=True,
                                  capture_output=True, check=True)
            assert node_files.why_not_reached(done.stdout) == ""
            assert trusted in done.stderr and "https://m.test:5000/v2/" in done.stderr
        assert list((root / "run").iterdir()) == []
