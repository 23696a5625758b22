# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine `oc`: `oc image mirror`, for those whose rules demand the documented tool.

Left to itself it asks five questions a second of each repository, publishes nothing of a repository before all its
layers are there, and gives up at the first 503. So it is fed in chunks that run side by side and fail alone, what is
still missing is fed to it again line by line, and whether an image is there is asked of the registry, never of it.
"""
from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import threading
from collections import Counter, defaultdict, namedtuple

from . import dockerconfigjson, errors, image_ref, transfer
from .crew import Crew

# What running a program came to; rc is None if it was ended because it took too long.
Finished = namedtuple("Finished", "rc stdout stderr")
# What `oc image mirror` made of its lines: the targets that it says to have pushed, and its complaints, in its order.
Outcome = namedtuple("Outcome", "pushed complaints")

OLDEST = (4, 14)         # the oldest release that this engine was tried with; 4.12 cannot read OCI indexes
CHUNK_LINES = 25         # what a failure or a kill can take along at most
# Images of one repository wait for each other in one process, those of other repositories do not; but each process costs
# a fifth of a second of computing. So they are dealt out to as many as may run, though never less nor more to one than:
CHUNK_OF_REPOSITORY = (2, 8)
PROCESSES_OF_WORKER = 2  # oc spends most of its time waiting for its own limit
TIMEOUT = 3600           # seconds for one chunk: runs that hung for hours are on record

# Where systems keep their CA certificates in one file (Debian, Red Hat, SUSE, Alpine).
SYSTEM_CAS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
              "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem")

COMPLAINT = re.compile(r"^error: (?!one or more errors occurred)(.+?)(?:: errors:)?$", re.MULTILINE)
QUERY = re.compile(r"\?[^\s\"]*")
# A manifest that could not be pushed because of its layers says nothing of why these are not there.
CONSEQUENCE = "unable to push manifest"
FINAL = re.compile(r"manifest unknown|not found|unauthorized|authentication required|no basic auth|denied|x509|"
                   r"invalid reference", re.IGNORECASE)


def run(argv, environ, timeout=TIMEOUT):
    """Run a program with `environ` added to this process's environment; returns Finished."""
    try:
        # run_command knows no time limit, and ends the module where this raises for one of several threads.
        # pylint: disable-next=ansible-bad-function
        done = subprocess.run(argv, env=dict(os.environ, **environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding="utf-8", errors="replace", timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Finished(None, "", "error: it did not end within %d seconds" % timeout)
    except OSError as problem:
        raise errors.InvalidInput("%s cannot be run: %s." % (argv[0], (problem.strerror or "").lower()))
    return Finished(done.returncode, done.stdout, done.stderr)


def find(path=None):
    """The path of the program `oc`, looked for in `path` or else in PATH."""
    program = shutil.which("oc", path=path)
    if program is None:
        raise errors.NotFound("There is no program oc on this host's PATH. Install the OpenShift client, %s or newer, or "
                              "use the engine native, which needs nothing." % dotted(OLDEST))
    return program


def dotted(version):
    return ".".join(str(number) for number in version)


class Oc:
    """The program itself: what its arguments, its exit codes and its output mean.

    run -- run(argv, environ) -> Finished
    """

    def __init__(self, program, run=run):
        self._program = program
        self._run = run

    def version(self):
        """Its release, such as "4.16.30". Raises InvalidInput if it is none that can be used."""
        done = self._run([self._program, "version", "--client", "-o", "json"], {})
        try:
            document = json.loads(done.stdout)
            told = document.get("releaseClientVersion") or document["clientVersion"]["gitVersion"]
            numbers = re.match(r"v?(\d+)\.(\d+)", told)
        except (ValueError, LookupError, TypeError, AttributeError):
            numbers = None
        if not numbers:
            raise errors.InvalidInput("%s does not tell its version; it is not the OpenShift client." % self._program)
        if tuple(int(number) for number in numbers.groups()) < OLDEST:
            raise errors.InvalidInput("%s is of release %s. Install %s or newer, or use the engine native."
                                      % (self._program, told, dotted(OLDEST)))
        return told.lstrip("v")

    def mirror(self, lines_file, auth_file, environ, insecure, bound=None):
        """Mirror the lines of a file (SOURCE=TARGET), all architectures of each; returns an Outcome.

        bound -- how many requests one registry gets at a time, where oc's own number of 6 is too many
        """
        argv = [self._program, "image", "mirror", "--filename=" + lines_file, "--registry-config=" + auth_file,
                "--keep-manifest-list=true", "--continue-on-error=true"]
        argv += ["--insecure=true"] if insecure else []
        argv += ["--max-per-registry=%d" % bound] if bound else []
        done = self._run(argv, environ)
        pushed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("sha256:")]
        complaints = [QUERY.sub("?...", complaint) for complaint in COMPLAINT.findall(done.stderr)]
        if done.rc != 0 and not complaints:
            complaints = ["it ended with exit code %s and no explanation" % done.rc]
        return Outcome(pushed, complaints)


class Engine:
    """Brings images by oc; `copy` takes the place of transfer.copy.

    directory -- a private directory for what oc reads: lines, credentials, CA certificates
    auth -- a parsed auth file; only the entries that are needed come before oc, which refuses a file with any bad one
    plain_http -- hosts without TLS; oc can only be told so of all registries at once, so all or none must be
    bound -- bound(host) -> how many requests a registry gets at a time, or None if that does not matter
    """

    def __init__(self, oc, directory, orders, auth=None, ca_files=(), ca_content="", plain_http=(),
                 bound=lambda _host: None):
        self._oc = oc
        self._directory = directory
        self._insecure = without_tls(orders, plain_http)
        self._auth_file = self._write("auth.json", dockerconfigjson.dump(needed(auth or {"auths": {}}, orders)))
        self._environ = {}
        if ca_files or ca_content:
            self._environ["SSL_CERT_FILE"] = self._write("ca.pem", bundle(ca_files, ca_content))
        self._bound = bound
        self._tried = set()
        self._files = 0
        self._lock = threading.Lock()

    def copy(self, jobs, _there, workers, display, _clock):
        """Copy the images of `jobs` and set their status to "done" or "failed"."""
        bound = min((bound for bound in map(self._bound, hosts_of(job.order for job in jobs)) if bound), default=None)
        processes = workers * PROCESSES_OF_WORKER if bound is None else min(workers * PROCESSES_OF_WORKER, bound)
        each = None if bound is None else bound // processes
        crew = Crew(processes)
        alone = [job for job in jobs if job.rank in self._tried]
        first_time = [job for job in jobs if job.rank not in self._tried]
        # The first image brings the layers that others share: until they are there, each process would send them.
        seed = [crew.start(0, self._chunk, first_time[:1], display, each)] if first_time else []
        for number, chunk in enumerate(chunks(first_time[1:], processes) + [[job] for job in alone]):
            crew.start(1 + number, self._chunk_after, seed, chunk, display, each)
        self._tried.update(job.rank for job in jobs)
        crew.run()

    def _chunk_after(self, task, seed, jobs, display, bound):
        yield seed
        self._chunk(task, jobs, display, bound)

    def _chunk(self, _task, jobs, display, bound):
        lines = "".join("%s/%s@%s=%s\n" % (job.source.host, job.source_path, job.digest, job.order.target) for job in jobs)
        with self._lock:
            self._files += 1
            name = "lines-%d" % self._files
        outcome = self._oc.mirror(self._write(name, lines), self._auth_file, self._environ, self._insecure, bound)
        for job in jobs:
            prove(job, outcome.complaints, len(jobs) == 1)
            if job.status == "done":
                display.images_done(1)

    def _write(self, name, text):
        path = os.path.join(self._directory, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path


def chunks(jobs, processes):
    """Jobs in lists that one process each is to carry out, in their order."""
    sizes = Counter((job.target.host, job.target_path) for job in jobs)
    least, most = CHUNK_OF_REPOSITORY
    share = min(max(math.ceil(max(sizes.values(), default=0) / processes), least), most)
    rooms = []
    places = defaultdict(int)  # repository -> the first chunk that still has room for it
    counts = defaultdict(int)
    for job in jobs:
        repository = (job.target.host, job.target_path)
        number = places[repository]
        while number < len(rooms) and (len(rooms[number]) >= CHUNK_LINES or counts[repository, number] >= share):
            number += 1
        places[repository] = number
        if number == len(rooms):
            rooms.append([])
        rooms[number].append(job)
        counts[repository, number] += 1
    return rooms


def prove(job, complaints, only_one):
    """Ask the target whether the image is there, and set the job's status; a complaint tells why it is not."""
    try:
        transfer.look_at_one(None, job)
    except errors.Error as error:
        job.end("failed", error)
        return
    if job.status == "present":
        job.end("done")
    else:
        job.end("failed", blame(job, complaints, only_one))


def blame(job, complaints, only_one):
    """The error for an image that oc did not bring. What is not known to be final is worth another try."""
    named = [text for text in complaints if job.digest in text or re.search(re.escape(job.order.target) + r"(?!\S)|"
             + re.escape(job.order.target) + ":", text)]
    telling = ([text for text in named if CONSEQUENCE not in text]
               or [text for text in complaints if CONSEQUENCE not in text] or named
               or ["it reports success, but the registry does not have the image"])
    final = (only_one or telling[0] in named) and FINAL.search(telling[0])
    kind = errors.Error if final else errors.Unreachable
    return kind("oc says: %s." % telling[0].rstrip("."), registry=job.target.host)


def without_tls(orders, plain_http):
    """True if all registries are without TLS, False if none is. Raises InvalidInput for a mixture."""
    hosts = hosts_of(orders)
    plain = hosts & set(plain_http)
    if plain and plain != hosts:
        raise errors.InvalidInput("oc would leave out the verification of %s, too, if it were told that %s is without TLS. "
                                  "Use the engine native." % (", ".join(sorted(hosts - plain)), ", ".join(sorted(plain))))
    return bool(plain)


def hosts_of(orders):
    """Every registry that some order comes from or goes to."""
    return {image_ref.parse(reference).registry for order in orders for reference in order}


def needed(auth, orders):
    """The auth file's entries that some order's source or target is found by."""
    keys = {dockerconfigjson.find_key(auth, reference) for order in orders for reference in order} - {None}
    return {"auths": {key: entry for key, entry in auth["auths"].items() if key in keys}}


def bundle(ca_files, ca_content):
    """The system's CA certificates and the given ones, as PEM text: what SSL_CERT_FILE names takes their place."""
    files = [path for path in (os.environ.get("SSL_CERT_FILE", ""),) + SYSTEM_CAS if path and os.path.isfile(path)][:1]
    texts = []
    for path in files + list(ca_files):
        with open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read())
    return "\n".join(texts + [ca_content])
