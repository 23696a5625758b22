# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The native engine between real registries: what it costs, and what it makes of registries that misbehave."""
from __future__ import annotations

import contextlib
import threading

import pytest

from mirroring import PASSWORD, auth, htpasswd, registry, statuses, transfer, world
from ansible_collections.disconnected.openshift.plugins.module_utils import errors
from faults import proxy
from faults.trust import TokenServer
from lab import images


@pytest.fixture
def here(tmp_path):
    with world(tmp_path) as both:
        yield both


# What it costs

def test_a_release_travels_once_and_a_second_run_only_looks(here):
    orders = here.release(20)
    verdicts, registries = here.run(orders)
    assert statuses(verdicts) == {"done": 20}
    assert here.mirror.tags("ocp/release") == sorted("t%d" % n for n in range(20))
    # HEAD target, GET manifest, three own blobs of three requests, PUT manifest; and the three shared layers once
    assert registries.requests == 20 * 12 + 9
    assert registries[here.source.host].bytes_received == here.unique
    here.forget()
    verdicts, registries = here.run(orders)
    assert statuses(verdicts) == {"present": 20}
    assert here.target.count() == 20 == here.target.count("HEAD")
    assert here.source.count() == 0


def test_lists_bring_all_their_images_and_shared_layers_are_mounted(here):
    orders = here.catalog(8, 4)
    verdicts, registries = here.run(orders)
    assert statuses(verdicts) == {"done": 8}
    assert registries[here.source.host].bytes_received == here.unique
    # per list: HEAD, three GETs, four own blobs of three requests, three PUTs; four shared layers, mounted three times
    assert registries.requests == 8 * 19 + 4 * 3 + 4 * 3
    for order in orders:
        digest = order.source.partition("@")[2]
        assert here.digest(order.target) == here.digest(order.target, digest) == digest


def test_progress_is_told_to_whoever_shows_it(here):
    seen = []
    with here.registries() as registries:
        transfer.mirror(here.release(5), registries, 4, progress=seen.append, clock=here.clock)
    assert seen[-1].done == seen[-1].total == 5
    assert seen[-1].bytes == registries[here.target.host].bytes_sent
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    seen.clear()
    with here.registries() as registries:
        transfer.mirror(here.release(5), registries, 4, progress=seen.append, clock=here.clock)
    assert [(p.done, p.bytes) for p in seen] == [(5, 0)]


@pytest.mark.parametrize("target", ["mirror.example.com/a/b", "mirror.example.com/a/b@sha256:" + "a" * 64])
def test_a_target_needs_a_tag(target):
    with pytest.raises(errors.InvalidInput, match="give a tag"):
        transfer.look([transfer.Order("quay.io/a/b:1", target)], {"quay.io": None, "mirror.example.com": None})


def test_looking_reads_no_content(here):
    orders = here.release(5)
    here.run(orders[:3])
    here.forget()
    assert here.look(orders) == ["present"] * 3 + ["missing"] * 2
    assert here.source.count() == 0


def test_a_lost_tag_costs_no_look_at_all_other_images(here):
    orders = here.release(12)
    here.run(orders[:11])
    here.forget()
    assert statuses(here.run([orders[11]._replace(target=orders[11].target + "-again")] + orders[:11])[0]) == {
        "done": 1, "present": 11}
    # 12 looks; per layer a question, or the upload's two steps; the manifest; and no manifest of the others
    assert here.target.count("GET", "/manifests/") == 0
    assert here.target.count() <= 12 + 3 + 3 * 2 + 1


def test_a_tag_that_points_elsewhere_is_moved(here):
    orders = here.release(2)
    here.run(orders[:1])
    moved = [orders[1]._replace(target=orders[0].target)]
    assert [v.status for v in here.run(moved)[0]] == ["done"]
    assert here.look(moved) == ["present"]


def test_an_image_by_tag_is_looked_up(here):
    here.shelf.image("apps/shop", [images.bulk("shop", 1000)], tag="1.4")
    here.put()
    orders = [transfer.Order("%s/apps/shop:%s" % (here.source.host, tag), "%s/apps/shop:%s" % (here.target.host, tag))
              for tag in ("1.4", "1.5")]
    verdicts = here.run(orders)[0]
    assert [v.status for v in verdicts] == ["done", "failed"]
    assert "apps/shop:1.5 does not exist" in verdicts[1].reason


# Bad content

def test_a_missing_image_is_named_and_all_others_are_there(here):
    orders = here.release(10)
    gone = "sha256:" + "0" * 64
    orders.insert(3, transfer.Order("%s/release@%s" % (here.source.host, gone),
                                    "%s/ocp/release:gone" % here.target.host))
    for path in ("t1", "t2", "t3"):
        here.source.inject(proxy.status(503), path=orders[int(path[1:])].source.partition("@")[2], times=1)
    verdicts = here.run(orders)[0]
    assert statuses(verdicts) == {"done": 10, "failed": 1}
    assert verdicts[3].status == "failed"
    assert gone in verdicts[3].reason and here.source.host in verdicts[3].reason and "404" in verdicts[3].reason


def test_a_corrupt_blob_never_arrives_and_strikes_only_its_image(here):
    orders = here.release(6)
    blob = images.bulk("own-2-0", 20_000).digest
    here.source.inject(proxy.corrupt(), path="/blobs/" + blob)
    verdicts = here.run(orders)[0]
    assert statuses(verdicts) == {"done": 5, "failed": 1}
    assert verdicts[2].status == "failed" and blob in verdicts[2].reason and "damaged" in verdicts[2].reason
    with here.registries() as registries, pytest.raises(errors.NotFound):
        registries[here.target.host].open_blob("ocp/release", blob)
    assert not here.mirror.unfinished_uploads()


def test_a_blob_that_was_corrupt_for_a_moment_is_fetched_again(here):
    orders = here.release(3)
    here.source.inject(proxy.corrupt(), path="/blobs/" + images.bulk("own-1-0", 20_000).digest, times=1)
    assert statuses(here.run(orders)[0]) == {"done": 3}


def test_a_corrupt_manifest_is_refused(here):
    orders = here.release(2)
    here.source.inject(proxy.corrupt(), path="/manifests/" + orders[0].source.partition("@")[2])
    verdicts = here.run(orders)[0]
    assert [v.status for v in verdicts] == ["failed", "done"]


# Registries that stumble

PLACES = (("HEAD", "/manifests/"), ("GET", "/manifests/"), ("GET", "/blobs/"), ("POST", "/uploads/"),
          ("PUT", "/uploads/"), ("PUT", "/manifests/"))


@pytest.mark.parametrize("fault", [
    proxy.status(503), proxy.status(429, "TOOMANYREQUESTS"), proxy.reset(),
    proxy.status(401, "UNAUTHORIZED", [("WWW-Authenticate", 'Basic realm="r"')]),
], ids=["503", "429", "reset", "401"])
def test_what_fails_once_does_not_matter(here, fault):
    document = {"auths": dict(auth(here.source.host)["auths"], **auth(here.target.host)["auths"])}
    for number, (method, path) in enumerate(PLACES):
        for side in (here.source, here.target):
            side.heal()
            side.inject(fault, method, path, times=1, after=1)
        verdicts = here.run(here.release(4, "at/%d" % number), auth=document)[0]
        assert statuses(verdicts) == {"done": 4}, (method, path, verdicts)


@pytest.mark.parametrize("wait", [
    [("Retry-After", "7")],
    [("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"), ("Date", "Fri, 31 Dec 1999 23:59:52 GMT")],
], ids=["seconds", "date"])
def test_retry_after_is_kept(here, wait):
    here.source.inject(proxy.status(429, headers=wait), path="/manifests/", times=1)
    assert statuses(here.run(here.release(1))[0]) == {"done": 1}
    assert 7 in here.clock.paused


def test_a_registry_gets_no_more_requests_at_a_time_than_it_shall(here):
    here.source.delay = here.target.delay = 0.02
    orders = here.release(12)
    assert statuses(here.run(orders, workers=8, bounds={here.source.host: 2})[0]) == {"done": 12}
    assert here.source.most == 2 and 2 < here.target.most <= 8
    here.forget()
    with here.registries(bounds={here.target.host: 3}) as registries:
        transfer.look(orders, registries, 8)
        assert here.target.most == 3
    by_tag = ["%s:%d" % (orders[0].source.partition("@")[0], number) for number in range(12)]
    with here.registries(bounds={here.source.host: 3}) as registries:
        transfer.digests(by_tag, registries, 8)
        assert here.source.most == 3


def in_time(work):
    """What `work` returns, which may be not to return."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(60)
    assert found, "it did not come to an end"
    return found[0]


def test_two_that_copy_from_each_other_do_not_wait_for_each_other(here, monkeypatch):
    both_sending = threading.Barrier(2)

    def open_blob(*args):
        with contextlib.suppress(threading.BrokenBarrierError):
            both_sending.wait(1)
        return original(*args)

    original = registry.Registry.open_blob
    there, back = here.source.host, here.target.host
    here.run(here.release(1))
    image = here.shelf.image("other", [images.bulk("other", 300_000)])
    here.put()
    orders = [transfer.Order(image.reference, back + "/other:1"),
              transfer.Order("%s/ocp/release:t0" % back, there + "/ocp/release:t0")]
    monkeypatch.setattr(registry.Registry, "open_blob", open_blob)
    verdicts = in_time(lambda: here.run(orders, workers=4, bounds={there: 1, back: 1})[0])
    assert statuses(verdicts) == {"done": 2}


def test_a_failure_gives_its_turn_back(here):
    def size(exchange):
        return int(exchange.headers.get("Content-Length") or 0)

    image = here.shelf.image("apps/big", [images.bulk("big", 3_000_000)])
    here.target.inject(lambda exchange: exchange.answer(405) if size(exchange) else exchange.forward(), "PUT", "/uploads/")
    here.target.inject(lambda exchange: exchange.cut() if size(exchange) > 1_000_000 else exchange.forward(), "PATCH")
    orders = [transfer.Order(image.reference, here.target.host + "/apps/big:1")] + here.release(6)
    verdicts = in_time(lambda: here.run(orders, workers=4, rounds=1, bounds={here.source.host: 1})[0])
    assert [verdict.status for verdict in verdicts] == ["failed"] + ["done"] * 6


def test_some_registries_are_asked_gently(here):
    with here.registries(bounds={"quay.io": 9}) as registries:
        assert [registries.bound(host) for host in ("quay.io", "registry.redhat.io", here.source.host)] == [9, 4, None]


def test_a_long_retry_after_is_kept_between_the_rounds(here):
    """Longer than a single request is tried for."""
    here.source.inject(proxy.status(429, headers=[("Retry-After", "90")]), path="/manifests/", times=1)
    assert statuses(here.run(here.release(1))[0]) == {"done": 1}
    assert here.clock.paused == [90]


def test_a_rate_limit_that_stays_is_said(here):
    here.source.inject(proxy.status(429, headers=[("Retry-After", "9999")]), path="/manifests/")
    verdict = here.run(here.release(1))[0][0]
    assert verdict.status == "failed" and "limits the rate" in verdict.reason and "fewer requests at a time" in verdict.reason


def test_a_cut_download_goes_on_where_it_broke(here):
    layer = images.bulk("big", 3_000_000)
    image = here.shelf.image("apps/big", [layer])
    here.put()
    here.source.inject(proxy.cut_after(1_000_000), path="/blobs/" + layer.digest, times=1)
    order = transfer.Order(image.reference, here.target.host + "/apps/big:1")
    verdicts, registries = here.run([order])
    assert statuses(verdicts) == {"done": 1}
    assert here.source.count("GET", layer.digest) == 2
    assert here.target.count("PUT", "/uploads/") == 2  # configuration and layer: the layer's upload was one
    assert registries[here.source.host].bytes_received == here.unique


def test_the_mirror_dies_and_comes_back(here):
    orders = here.release(12)
    done = threading.Event()

    def watch():
        while here.target.count("PUT", "/manifests/") < 4:
            if done.wait(0.005):
                return
        here.mirror.stop()
        here.mirror.start()

    watcher = threading.Thread(target=watch)
    watcher.start()
    verdicts = here.run(orders)[0]
    done.set()
    watcher.join()
    assert statuses(verdicts) == {"done": 12}


def test_a_mirror_that_is_gone_is_given_up_soon(here):
    orders = here.release(30)
    here.mirror.stop()
    verdicts = here.run(orders, rounds=1)[0]
    assert statuses(verdicts) == {"failed": 30}
    assert all(here.target.host in v.reason for v in verdicts)
    assert sum(here.clock.paused) < 8 * 30 * 2  # not 30 seconds for each image
    here.mirror.start()


def test_a_killed_run_is_finished_without_sending_anything_twice(here):
    orders = here.catalog(12, 6) + here.release(12)

    class Killed(BaseException):
        pass

    def kill(progress):
        if progress.done >= 10:
            raise Killed

    with here.registries() as first, pytest.raises(Killed):
        transfer.mirror(orders, first, 4, progress=kill, clock=here.clock)
    verdicts, second = here.run(orders)
    assert statuses(verdicts)["present"] >= 10 and "failed" not in statuses(verdicts)
    moved = first[here.target.host].bytes_sent + second[here.target.host].bytes_sent
    assert moved <= 1.1 * here.unique


# What registries do differently

def test_uploads_in_parts_where_one_put_is_refused(here, monkeypatch):
    monkeypatch.setattr(registry, "PATCH_SIZE", 100_000)
    here.target.inject(lambda exchange: exchange.answer(405) if int(exchange.headers.get("Content-Length") or 0) else
                       exchange.forward(), "PUT", "/uploads/")
    assert statuses(here.run(here.release(3))[0]) == {"done": 3}
    assert here.target.count("PATCH") >= 3 * 3 + 3 * 2


@pytest.mark.parametrize("code", [404, 405])
def test_mounting_is_not_needed(here, code):
    here.target.inject(proxy.status(code, "UNSUPPORTED"), "POST", r"mount=")
    assert statuses(here.run(here.catalog(4, 4))[0]) == {"done": 4}


def test_a_mount_may_turn_out_to_be_an_upload(here):
    def plain_upload(exchange):
        exchange.path = exchange.path.partition("?")[0]
        exchange.forward()

    here.target.inject(plain_upload, "POST", "mount=")
    assert statuses(here.run(here.catalog(4, 4))[0]) == {"done": 4}


def test_absolute_locations_with_the_wrong_scheme(here):
    def misconfigured(exchange):
        response = exchange.ask()
        body = response.read()
        headers = [(n, v) for n, v in response.getheaders() if n.lower() not in ("location", "date", "connection")]
        location = response.getheader("Location")
        if location:
            path = location.split("/", 3)[3] if "://" in location else location.lstrip("/")
            headers.append(("Location", "https://localhost/" + path))
        exchange.start(response.status, headers)
        exchange.wfile.write(body)

    here.target.inject(misconfigured, "POST", "/uploads/")
    assert statuses(here.run(here.release(2))[0]) == {"done": 2}


def test_redirected_blobs_take_no_credentials_along(tmp_path):
    with world(tmp_path) as here, proxy.Proxy(here.upstream.port) as store:
        orders = here.release(2)
        here.source.inject(proxy.status(401, "UNAUTHORIZED", [("WWW-Authenticate", 'Basic realm="r"')]), times=1)
        here.source.inject(proxy.redirect("http://127.0.0.1:%d" % store.port), "GET", "/blobs/")
        document = {"auths": dict(auth(here.source.host)["auths"])}
        assert statuses(here.run(orders, auth=document)[0]) == {"done": 2}
        assert store.requests and not any(request.authorization for request in store.requests)
        assert any(request.authorization for request in here.source.requests)


def test_a_registry_that_takes_no_head(here):
    orders = here.release(3)
    here.target.inject(proxy.status(405, "UNSUPPORTED"), "HEAD", "/manifests/")
    assert [statuses(here.run(orders)[0]) for _run in range(2)] == [{"done": 3}, {"present": 3}]


@pytest.mark.parametrize("code", [400, 405, 500, 501])
def test_a_registry_that_takes_no_head_by_digest(here, code):
    """So Nexus answers 500, for good."""
    orders = here.release(2)
    here.run(orders)
    here.target.inject(proxy.status(code), "HEAD", "/(manifests|blobs)/sha256:")
    here.clock.paused.clear()
    digest = orders[0].source.partition("@")[2]
    assert here.digest(orders[0].target, digest) == digest
    assert here.digest(orders[0].target, "sha256:" + "0" * 64) is None
    assert statuses(here.run([orders[1]._replace(target=orders[1].target + "-again"), orders[0]])[0]) == {
        "done": 1, "present": 1}
    assert not here.clock.paused


def test_a_head_that_fails_once_does_not_matter(here):
    here.run(here.release(1))
    here.target.inject(proxy.status(500), "HEAD|GET", "/manifests/", times=2)
    assert statuses(here.run(here.release(1))[0]) == {"present": 1}


def test_a_repository_that_nobody_has_pushed_to_may_be_forbidden_to_look_at(here):
    orders = here.release(3)
    here.target.inject(proxy.status(403, "DENIED"), "HEAD", "/manifests/", times=3)
    assert statuses(here.run(orders)[0]) == {"done": 3}
    here.target.inject(proxy.status(403, "DENIED"), "HEAD|POST", "/v2/other/")
    moved = [order._replace(target=order.target.replace("/ocp/", "/other/")) for order in orders]
    verdicts = here.run(moved)[0]
    assert statuses(verdicts) == {"failed": 3} and "no right to" in verdicts[0].reason


def test_a_manifest_whose_blob_was_lost_is_brought_again(here):
    here.target.inject(proxy.status(400, "MANIFEST_BLOB_UNKNOWN"), "PUT", "/manifests/", times=1)
    assert statuses(here.run(here.release(2))[0]) == {"done": 2}


# Who asks

def test_basic_credentials_and_wrong_ones(tmp_path):
    with world(tmp_path, htpasswd=htpasswd(tmp_path / "htpasswd")) as here:
        orders = here.release(3)
        wrong = here.run(orders, auth=auth(here.target.host, password="wrong"))[0]
        assert statuses(wrong) == {"failed": 3}
        assert "does not accept the credentials (401)" in wrong[0].reason and "wrong" not in wrong[0].reason
        none = here.run(orders)[0]
        assert "without credentials" in none[0].reason and "Give the auth file an entry" in none[0].reason
        verdicts, registries = here.run(orders, auth=auth(here.target.host))
        assert statuses(verdicts) == {"done": 3}
        assert registries.requests == 3 * 12 + 9 + 1  # one 401 for the whole run


def test_credentials_that_are_withdrawn_in_the_middle(here):
    orders = here.release(10)
    document = auth(here.target.host)
    here.target.inject(proxy.status(401, "UNAUTHORIZED", [("WWW-Authenticate", 'Basic realm="r"')]), after=60)
    verdicts = here.run(orders, auth=document)[0]
    done = [verdict for verdict in verdicts if verdict.status == "done"]
    assert 0 < len(done) < 10 and sum(here.clock.paused) < 10
    assert all("does not accept the credentials (401)" in verdict.reason for verdict in verdicts if verdict not in done)
    here.target.heal()
    assert statuses(here.run(orders, auth=document)[0]) == {"present": len(done), "done": 10 - len(done)}


def test_the_longest_key_of_the_auth_file_is_taken(tmp_path):
    with world(tmp_path, htpasswd=htpasswd(tmp_path / "htpasswd")) as here:
        orders = here.release(2)
        wrong, right = (auth(here.target.host, password=p)["auths"][here.target.host] for p in ("wrong", PASSWORD))
        for key, other, status in ((here.target.host + "/ocp", here.target.host, "done"),
                                   (here.target.host, here.target.host + "/ocp/", "present"),
                                   (here.target.host + "/oc", here.target.host, "failed")):
            assert statuses(here.run(orders, auth={"auths": {key: right, other: wrong}})[0]) == {status: 2}, key


def test_tokens_are_fetched_once_a_scope_and_renewed(tmp_path):
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            document = auth(here.target.host, "pusher", "secret")
            verdicts, registries = here.run(here.catalog(8, 4), auth=document)
            assert statuses(verdicts) == {"done": 8}
            scopes = [tuple(scopes) for _user, scopes in tokens.requests]
            assert len(scopes) == len(set(scopes))


def test_a_token_that_dies_early_is_replaced(tmp_path):
    # The registry grants tokens a minute of grace: these die after two seconds, and say that they live five minutes.
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}, lifetime=-58, announced=300) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            here.target.delay = 0.1
            verdicts = here.run(here.release(10), auth=auth(here.target.host, "pusher", "secret"))[0]
            assert statuses(verdicts) == {"done": 10}
            scopes = [tuple(scopes) for _user, scopes in tokens.requests]
            assert len(scopes) > len(set(scopes))


def test_a_token_is_fetched_while_all_turns_are_taken(tmp_path):
    """Those that have the turns may be waiting for it."""
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            host = here.target.host
            with here.registries(auth=auth(host, "pusher", "secret"), bounds={host: 1}) as registries:
                target = registries[host]
                target.ping()
                other = threading.Thread(target=target.authorize, args=("apps/shop", "pull"), daemon=True)
                with target.turn():
                    other.start()
                    other.join(10)
                    assert not other.is_alive()


def test_a_token_server_that_refuses_two_repositories(tmp_path):
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}, max_scopes=1) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            verdicts = here.run(here.catalog(4, 4), auth=auth(here.target.host, "pusher", "secret"))[0]
            assert statuses(verdicts) == {"done": 4}


def test_a_token_server_that_hides_what_does_not_exist_yet(tmp_path):
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}, push_only=True) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            orders = here.catalog(4, 4)
            document = auth(here.target.host, "pusher", "secret")
            assert statuses(here.run(orders, auth=document)[0]) == {"done": 4}
            with here.registries(auth=document) as registries, pytest.raises(errors.Unauthorized, match="no right to it"):
                registries[here.target.host].manifest("olm/number-0", "t0")


def test_a_token_server_without_a_right_to_delete(tmp_path):
    """Quay's answers 400."""
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}, actions=("pull", "push")) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            with here.registries(auth=auth(here.target.host, "pusher", "secret")) as registries:
                target = registries[here.target.host]
                target.cancel_upload("a/b", target.start_upload("a/b"))
                assert here.target.count("DELETE", "/a/b/blobs/uploads/")  # asked with the right to push alone
                assert target.delete_manifest("a/b", "sha256:" + "0" * 64) is False


def test_wrong_credentials_at_the_token_server(tmp_path):
    with TokenServer(tmp_path / "tokens", {"pusher": "secret"}) as tokens:
        with world(tmp_path, token=tokens.settings) as here:
            verdict = here.run(here.release(1), auth=auth(here.target.host, "pusher", "wrong-one"))[0][0]
            assert verdict.status == "failed" and "token server" in verdict.reason and "wrong-one" not in verdict.reason
