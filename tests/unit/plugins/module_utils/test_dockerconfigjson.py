# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, strategies as st

from ansible_collections.disconnected.openshift.plugins.module_utils import dockerconfigjson, errors, image_ref

SHA = "@sha256:" + "ab" * 32
SECRET = "c2VjcmV0OnZlcnktc2VjcmV0"  # secret:very-secret


def auth(plain):
    return {"auth": base64.b64encode(plain.encode()).decode()}


def document(*keys):
    """One entry a key, each with a user called after it."""
    return {"auths": {key: auth("u-%s:pw" % key.replace(":", "_")) for key in keys}}


PASSWORDS = ["p:w", 'p"w', "p'w", "p$w", "p\\w", " p w ", "пароль", "p\nw", "x" * 200, "{{ p }}", "a" * 47 + "/+="]


class TestFindKey:
    @pytest.mark.parametrize("reference, keys, expected", [
        # the longest path that is a key, a whole component at a time
        ("quay.io/ns/img/x:1", ["quay.io", "quay.io/ns", "quay.io/ns/img"], "quay.io/ns/img"),
        ("quay.io/ns/img" + SHA, ["quay.io", "quay.io/ns"], "quay.io/ns"),
        ("quay.io/ns/img", ["quay.io", "quay.io/n", "quay.io/ns/im"], "quay.io"),
        ("my-registry:5000/ns/img", ["my-registry:5000"], "my-registry:5000"),
        # what looks the same and is not
        ("my-registry:5000/my-namespace/img", ["my-registry:5000/my-namespace/"], None),
        ("my-registry:5000/img", ["my-registry:5000/", "my-registry", "MY-REGISTRY:5000"], None),
        ("quay.io/img", ["quay.io:443", "*.io", "*"], None),
        ("quay.io:443/img", ["quay.io"], None),
        # keys with a scheme stand for their host, but only if no key is equal
        ("my-registry:5000/img", ["https://my-registry:5000"], "https://my-registry:5000"),
        ("my-registry:5000/img", ["http://my-registry:5000/v1/"], "http://my-registry:5000/v1/"),
        ("my-registry:5000/img", ["https://my-registry:5000", "my-registry:5000"], "my-registry:5000"),
        ("my-registry:5000/img", ["HTTPS://my-registry:5000"], None),
        # docker.io has several names
        ("busybox", ["docker.io"], "docker.io"),
        ("busybox", ["index.docker.io"], "index.docker.io"),
        ("busybox", ["registry-1.docker.io"], "registry-1.docker.io"),
        ("busybox", ["https://index.docker.io/v1/"], "https://index.docker.io/v1/"),
        ("busybox", ["docker.io", "docker.io/library"], "docker.io/library"),
        ("index.docker.io/team/app", ["docker.io/team"], "docker.io/team"),
        ("quay.io/img", [], None),
    ])
    def test_as_containers_image_does(self, reference, keys, expected):
        assert dockerconfigjson.find_key(document(*keys), reference) == expected

    def test_a_parsed_reference_will_do(self):
        assert dockerconfigjson.find_key(document("quay.io"), image_ref.parse("quay.io/a")) == "quay.io"

    @pytest.mark.parametrize("value", [{}, None, {"auth": ""}, {"auth": None}, auth("nocolon"), auth(":"),
                                       {"username": "u", "password": "p"}, {"identitytoken": "t"}])
    def test_an_entry_without_credentials_ends_the_search(self, value):
        doc = document("quay.io")
        doc["auths"]["quay.io/ns"] = value
        assert dockerconfigjson.find_key(doc, "quay.io/ns/img") is None
        assert dockerconfigjson.find_key(doc, "quay.io/other") == "quay.io"

    def test_an_identity_token_is_enough_beside_auth(self):
        doc = {"auths": {"quay.io": dict(auth(":"), identitytoken="t")}}
        assert dockerconfigjson.find_key(doc, "quay.io/a") == "quay.io"

    @pytest.mark.parametrize("broken", ["YTpi=", "YTpiYw", "YTpiYw=", "***", "YTpi YTpi", "YTpiYw==YTpiYw==", "_-=="])
    def test_bad_base64_under_the_key(self, broken):
        doc = dict(document("registry.redhat.io"))
        doc["auths"]["quay.io"] = {"auth": broken}
        assert dockerconfigjson.find_key(doc, "registry.redhat.io/a") == "registry.redhat.io"
        with pytest.raises(errors.InvalidInput, match="entry 'quay.io' holds `auth` that is not base64"):
            dockerconfigjson.find_key(doc, "quay.io/a")

    def test_line_breaks_in_base64_are_skipped(self):
        wrapped = "\n".join(SECRET[n:n + 8] for n in range(0, len(SECRET), 8)) + "\r\n"
        doc = {"auths": {"quay.io": {"auth": wrapped}}}
        assert dockerconfigjson.credentials(doc, "quay.io/a") == ("secret", "very-secret")

    @pytest.mark.parametrize("doc, reason", [
        ([], "not a JSON object"),
        ({"auths": []}, "must be JSON objects"),
        ({"auths": {"x": 1}}, "entry 'x' is not a JSON object"),
        ({"auths": {"x": {"auth": 1}}}, "entry 'x' has auth that is not text"),
        ({"auths": {"x": {"identitytoken": []}}}, "entry 'x' has identitytoken that is not text"),
        ({"auths": {"x": {"Auth": 1, "auth": SECRET}}}, "entry 'x' has Auth that is not text"),
        ({"auths": {"x": {"auth": 1}}, "AUTHS": {"x": {"auth": SECRET}}}, "entry 'x' has auth that is not text"),
        ({"AUTHS": 1, "auths": {}}, "must be JSON objects"),
        ({"auths": {}, "credHelpers": {"x": 1}}, "credHelpers"),
        ({"auths": {}, "credHelpers": {"quay.io": "pass"}}, "credential helper"),
    ])
    def test_documents_that_cannot_be_used(self, doc, reason):
        with pytest.raises(errors.InvalidInput, match=reason):
            dockerconfigjson.find_key(doc, "quay.io/a")

    @pytest.mark.parametrize("doc", [None, {}, {"auths": None}, {"auths": {"quay.io": {"Authorization": SECRET}}}])
    def test_nothing(self, doc):
        assert dockerconfigjson.find_key(doc, "quay.io/a") is None

    @pytest.mark.parametrize("doc", [
        {"AUTHS": {"quay.io": {"Auth": SECRET}}}, {"auth\u017f": {"quay.io": {"aUTH": SECRET}}}])
    def test_names_in_any_case(self, doc):
        """The long s is another case of s."""
        assert dockerconfigjson.find_key(doc, "quay.io/a") == "quay.io"

    def test_what_else_is_in_an_entry_may_be_anything(self):
        doc = {"auths": {"quay.io": {"auth": SECRET, "email": 1, "username": []}, "other.io": {"password": {}}}, "x": 1}
        assert dockerconfigjson.find_key(doc, "quay.io/a") == "quay.io"

    def test_an_object_that_is_written_twice_is_joined_and_null_empties_it(self):
        twice = {"auths": {"quay.io": {"auth": SECRET}}, "Auths": {"other.io": {"auth": SECRET}}}
        assert dockerconfigjson.find_key(twice, "quay.io/a") == "quay.io"
        assert dockerconfigjson.find_key(twice, "other.io/a") == "other.io"
        assert dockerconfigjson.find_key(dict(twice, AUTHS=None), "quay.io/a") is None

    def test_a_bad_reference(self):
        with pytest.raises(errors.InvalidInput, match="not an image reference"):
            dockerconfigjson.find_key(document("quay.io"), "quay.io/A")


class TestCredentials:
    @pytest.mark.parametrize("password", PASSWORDS)
    def test_any_password_survives(self, password):
        doc, _changes = dockerconfigjson.merge({"auths": {}}, {"quay.io": dockerconfigjson.entry("user", password)})
        doc = dockerconfigjson.parse(dockerconfigjson.dump(doc))
        assert dockerconfigjson.credentials(doc, "quay.io/a") == ("user", password)

    @given(st.text(min_size=1).filter(lambda text: text.strip("\0") == text))
    def test_any_text_survives(self, password):
        doc = {"auths": {"quay.io": dockerconfigjson.entry("user", password)}}
        assert dockerconfigjson.credentials(doc, "quay.io/a") == ("user", password)

    def test_zero_bytes_around_a_password_are_padding(self):
        doc = {"auths": {"quay.io": auth("\0u\0:\0\0p\0w\0")}}
        assert dockerconfigjson.credentials(doc, "quay.io/a") == ("\0u\0", "p\0w")

    def test_bytes_that_are_not_utf_8_survive(self):
        doc = {"auths": {"quay.io": {"auth": base64.b64encode(b"user:p\xffw").decode()}}}
        assert dockerconfigjson.entry(*dockerconfigjson.credentials(doc, "quay.io/a")) == doc["auths"]["quay.io"]

    def test_none(self):
        assert dockerconfigjson.credentials(document(), "quay.io/a") is None

    @pytest.mark.parametrize("user", ["", None, "a:b"])
    def test_user_names_that_cannot_be(self, user):
        with pytest.raises(errors.InvalidInput):
            dockerconfigjson.entry(user, "pw")


class TestParse:
    def test_everything_survives(self):
        text = ('{"auths":{"b":{"auth":"%s","email":"j\\u00f6rg@example.com"},"a":{}},"n":[1.10,1e5,-0.0,1E400,'
                '123456789012345678901234567890,0.1,true,null],"\\ud83d\\ude00":{"z":1,"a":{}}}' % SECRET)
        assert dockerconfigjson.dump(dockerconfigjson.parse(text)) == text

    def test_a_number_is_a_number(self):
        doc = dockerconfigjson.parse('{"auths": {}, "n": 1.10}')
        assert doc["n"] == 1.1 and json.dumps(doc["n"]) == "1.1"

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
                        | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
    def test_anything_beside_the_entries_survives(self, rest):
        doc = {"auths": {"quay.io": {"auth": SECRET}}, "rest": rest}
        again = dockerconfigjson.parse(dockerconfigjson.dump(doc))
        assert again == doc and json.loads(dockerconfigjson.dump(again)) == doc

    @pytest.mark.parametrize("text, reason", [
        ("", "line 1, column 1"),
        ('{"auths": {"quay.io": {"auth": "%s"}}}}' % SECRET, "Extra data"),
        ('{"auths": {"quay.io" {"auth": "%s"}}}' % SECRET, "':' delimiter"),
        ('{"auths": {"quay.io": {"auth": "%s}}' % SECRET, "Unterminated"),
        ("[]", 'no "auths"'),
        ("null", 'no "auths"'),
        ("{}", 'no "auths"'),
        ('{"auths": []}', 'no "auths"'),
        ('{"quay.io": {"auth": "%s"}}' % SECRET, 'no "auths"'),
        ('{"auths": {}, "n": NaN}', "number"),
        ('{"auths": {}, "n": -Infinity}', "number"),
        ('{"auths": {}, "n": %s}' % ("[" * 100_000 + "]" * 100_000), "too deeply"),
        ('{"auths": {}, "auths": {}}', "names 'auths' more than once"),
        ('{"auths": {"quay.io": {}, "quay.io": {"auth": "%s"}}}' % SECRET, "names 'quay.io' more than once"),
        ('{"auths": {"quay.io": {"auth": "%s", "auth": "YTpi"}}}' % SECRET, "names 'auth' more than once"),
        ('{"auths": {"quay.io": null}}', "entry 'quay.io' is not"),
        ('{"auths": {"quay.io": "%s"}}' % SECRET, "entry 'quay.io' is not"),
        ('{"auths": {"quay.io": {"auth": ["%s"]}}}' % SECRET, "entry 'quay.io' has auth that is not text"),
        ('{"auths": {"quay.io": {"auth": "%s="}}}' % SECRET, "entry 'quay.io' holds `auth` that is not base64"),
        ('{"auths": {"quay.io": {"auth": "c2VjcmV0"}}}', "entry 'quay.io' holds `auth`.*no colon"),
        ('{"auths": {"a": {"auth": "%s="}, "b": {"auth": "c2VjcmV0"}}}' % SECRET, "'a'.*'b'"),
    ])
    def test_what_is_refused(self, text, reason):
        with pytest.raises(errors.InvalidInput, match=reason) as caught:
            dockerconfigjson.parse(text)
        for secret in (SECRET, "secret", "c2VjcmV0"):
            assert secret not in str(caught.value.result()).replace("pull secret", "")


class TestMerge:
    def test_add_and_replace(self):
        former = dict(auth("old:pw"), identitytoken="t", email="e")
        before = {"auths": {"quay.io": former, "b.io": auth("b:b")}, "x": 1}
        given = {"quay.io": auth("new:pw"), "m.example.com:5000": auth("m:m")}
        after, changes = dockerconfigjson.merge(before, given)
        assert after == {"auths": dict(given, **{"b.io": auth("b:b")}), "x": 1}
        assert list(after["auths"]) == ["quay.io", "b.io", "m.example.com:5000"]
        assert (changes.added, changes.replaced, changes.removed) == (["m.example.com:5000"], ["quay.io"], [])
        assert before["auths"]["quay.io"]["email"] == "e"

    @pytest.mark.parametrize("kept", [auth("u:pw"), dict(auth("u:pw"), email="you@example.com")])
    def test_the_same_is_no_change(self, kept):
        before = {"auths": {"quay.io": kept}}
        after, changes = dockerconfigjson.merge(before, {"quay.io": auth("u:pw")})
        assert after == before and not changes

    def test_a_token_of_an_earlier_login_goes(self):
        after, changes = dockerconfigjson.merge(
            {"auths": {"quay.io": dict(auth("u:pw"), identitytoken="t")}}, {"quay.io": auth("u:pw")})
        assert after["auths"]["quay.io"] == auth("u:pw") and changes.replaced == ["quay.io"]

    @pytest.mark.parametrize("key, better, words", [
        ("m.example.com:5000", "m.example.com:5000", []),
        ("m.example.com:5000/ns", "m.example.com:5000/ns", []),
        ("my-registry:5000/my-namespace/", "my-registry:5000/my-namespace", ["slash"]),
        ("https://m.example.com:5000", "m.example.com:5000", ["scheme"]),
        ("HTTP://M.example.com/v1/", "m.example.com", ["scheme", "upper-case"]),
        ("https://index.docker.io/v1/", "index.docker.io", ["scheme"]),
        ("M.Example.com:443/ns//", "m.example.com:443/ns", ["slash", "upper-case"]),
    ])
    def test_keys_that_would_never_be_found_are_corrected(self, key, better, words):
        after, changes = dockerconfigjson.merge({"auths": {}}, {key: auth("u:pw")})
        assert list(after["auths"]) == changes.added == [better]
        assert len(changes.warnings) == len(words)
        assert all(word in warning for word, warning in zip(words, changes.warnings))

    @pytest.mark.parametrize("key", ["", "  ", None, "/", "https://", "m.example.com/ns:tag", "m.example.com/a" + SHA,
                                     "u:pw@m.example.com", "m example.com", "*.example.com", "m.example.com/NS"])
    def test_keys_that_cannot_be(self, key):
        with pytest.raises(errors.InvalidInput):
            dockerconfigjson.merge({"auths": {}}, {key: auth("u:pw")})


class TestRemove:
    def test_some(self):
        before = document("a.io", "b.io", "c.io/x/")
        after, changes = dockerconfigjson.remove(before, ["https://a.io", "c.io/x/", "d.io"])
        assert after == document("b.io")
        assert (changes.added, changes.replaced, changes.removed) == ([], [], ["a.io", "c.io/x/"])
        assert len(changes.warnings) == 2

    def test_nothing(self):
        after, changes = dockerconfigjson.remove(document("a.io"), ["b.io"])
        assert after == document("a.io") and not changes


class TestValidate:
    def test_a_good_document(self):
        doc = document("quay.io", "m.example.com:5000/ns", "https://index.docker.io/v1/")
        assert dockerconfigjson.validate(doc) == []

    @pytest.mark.parametrize("key, value, words", [
        ("my-registry:5000/ns/", auth("u:pw"), "never found by CRI-O and oc; name it 'my-registry:5000/ns'"),
        ("Quay.io", auth("u:pw"), "name it 'quay.io'"),
        ("*.example.com", auth("u:pw"), "never found"),
        ("quay.io", {}, "no credentials"),
        ("quay.io", auth(":"), "no credentials"),
        ("quay.io", auth("x"), "no colon"),
        ("quay.io", {"auth": SECRET + "="}, "not base64"),
        ("quay.io", 1, "not a JSON object"),
    ])
    def test_problems(self, key, value, words):
        found = dockerconfigjson.validate({"auths": {"b.io": auth("b:b"), key: value}})
        assert len(found) == 1 and words in found[0] and repr(key) in found[0]
        assert SECRET not in found[0]


class TestIdentity:
    def test_of_a_cluster(self):
        one = document("cloud.openshift.com", "quay.io")
        other = {"auths": {"cloud.openshift.com": dict(one["auths"]["cloud.openshift.com"], email="e")}}
        assert dockerconfigjson.identity(one) == dockerconfigjson.identity(other)
        assert len(dockerconfigjson.identity(one)) == 16

    @pytest.mark.parametrize("doc", [document("quay.io"), {"auths": {"cloud.openshift.com": {}}},
                                     {"auths": {"cloud.openshift.com": None}}])
    def test_of_none(self, doc):
        assert dockerconfigjson.identity(doc) is None


def test_secrets_are_all_that_must_not_be_shown():
    doc = {
        "auths": {
            "a.io": dict(auth("user:p:w"), identitytoken="token-1", email="e@example.com", username="user",
                         password="p:w"),
            "b.io": {"auth": "broken!", "registrytoken": "token-2", "unknown": 1},
            "c.io": "odd",
        },
        "HttpHeaders": {"X-Auth": "header"},
        "credsStore": "pass",
    }
    found = dockerconfigjson.secrets(doc)
    assert set(found) == {auth("user:p:w")["auth"], "user:p:w", "p:w", "token-1", "token-2", "broken!", "header"}
    assert len(found) == len(set(found))
    assert dockerconfigjson.secrets({}) == dockerconfigjson.secrets({"auths": []}) == []
