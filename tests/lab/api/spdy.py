# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SPDY/3.1 as far as commands in pods need it: kubectl and oc before 1.31 (4.18) speak nothing else.

The client upgrades a POST, opens one stream for each of error, stdin, stdout and stderr, and says in the header
`streamtype` which is which. Frames are as in the SPDY draft; of flow control and priorities nothing is used.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator

from aiohttp import web

PROTOCOL = "SPDY/3.1"
STREAM_PROTOCOL = "v4.channel.k8s.io"
_VERSION_HEADER = "X-Stream-Protocol-Version"
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN = 1
_CONTROL = 0x8003 << 16
_OPENING = 30.0  # seconds that a client has to open its streams
_LARGEST = 1 << 16
_PATIENCE = 1 << 20  # bytes not yet sent at which to wait for the client

# The dictionary that both ends compress headers with: names that headers have, then values.
_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges "
    "age allow authorization cache-control connection content-base content-encoding content-language "
    "content-length content-location content-md5 content-range content-type date etag expect expires from host "
    "if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards "
    "pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer "
    "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
).split() + ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"]
_VALUES = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(name)) + name.encode() for name in _NAMES) + _VALUES.encode()


def wanted(request: web.Request) -> bool:
    """Whether a client asks to speak SPDY and a protocol of streams that is known here."""
    offered = ",".join(request.headers.getall(_VERSION_HEADER, [])).replace(" ", "").split(",")
    return request.headers.get("Upgrade", "").upper() == PROTOCOL and STREAM_PROTOCOL in offered


class _Response(web.StreamResponse):
    """101: what follows is no HTTP any more."""

    _length_check = False


class Connection:
    """The server's end of an upgraded connection; aiohttp hands it the bytes that arrive."""

    def __init__(self, channels: dict[str, int]) -> None:
        self._channels = channels
        self._streams: dict[int, int] = {}  # channel -> stream
        self._received: asyncio.Queue[tuple[int, bytes | None]] = asyncio.Queue()
        self._opened = asyncio.Event()
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._transport: asyncio.Transport | None = None
        self.response = _Response(status=101)

    async def accept(self, request: web.Request) -> None:
        """Upgrade, and wait until the client has opened every stream."""
        self._transport = request.transport
        self.response.headers.update({"Connection": "Upgrade", "Upgrade": PROTOCOL, _VERSION_HEADER: STREAM_PROTOCOL})
        self.response.force_close()
        request.protocol.set_parser(self)
        request.protocol.keep_alive(False)
        await self.response.prepare(request)
        await asyncio.wait_for(self._opened.wait(), _OPENING)

    # What aiohttp calls

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._buffer += data
        while len(self._buffer) >= 8:
            head, size = struct.unpack(">II", self._buffer[:8])
            flags, size = size >> 24, size & 0xFFFFFF
            if len(self._buffer) < 8 + size:
                break
            payload = bytes(self._buffer[8 : 8 + size])
            del self._buffer[: 8 + size]
            if head >> 31:
                self._control(head & 0xFFFF, flags, payload)
            else:
                self._data(head, flags, payload)
        return False, b""

    def feed_eof(self) -> None:
        self._received.put_nowait((-1, None))

    def set_exception(self, _error: BaseException, _cause: BaseException | None = None) -> None:
        self.feed_eof()

    # Frames

    def _control(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _SYN_STREAM:
            stream = struct.unpack(">I", payload[:4])[0]
            self._open(stream, _headers(self._inflate.decompress(payload[10:])))
        elif kind == _PING:
            self._frame(_PING, payload)
        elif kind in (_GOAWAY, _RST_STREAM):
            self.feed_eof()

    def _open(self, stream: int, headers: dict[str, str]) -> None:
        channel = self._channels.get(headers.get("streamtype", ""))
        if channel is None:
            return
        self._streams[channel] = stream
        no_headers = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._frame(_SYN_REPLY, struct.pack(">I", stream) + no_headers)
        if len(self._streams) == len(self._channels):
            self._opened.set()

    def _data(self, stream: int, flags: int, payload: bytes) -> None:
        channel = next((channel for channel, known in self._streams.items() if known == stream), None)
        if channel is None:
            return
        if payload:
            self._received.put_nowait((channel, payload))
        if flags & _FIN:
            self._received.put_nowait((channel, None))

    def _frame(self, kind: int, payload: bytes) -> None:
        self._write(struct.pack(">II", _CONTROL | kind, len(payload)) + payload)

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    # What streams.py calls

    async def received(self) -> AsyncIterator[tuple[int, bytes | None]]:
        """What the client sends: channel and bytes, None for the end of that channel; ends with the connection."""
        while True:
            channel, data = await self._received.get()
            if channel < 0:
                return
            yield channel, data

    async def send(self, channel: int, data: bytes) -> None:
        stream = self._streams[channel]
        for start in range(0, len(data), _LARGEST):
            piece = data[start : start + _LARGEST]
            self._write(struct.pack(">II", stream, len(piece)) + piece)
        while self._transport and self._transport.get_write_buffer_size() > _PATIENCE:
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End every stream, then the connection once all is sent."""
        for stream in self._streams.values():
            self._write(struct.pack(">II", stream, _FIN << 24))
        if self._transport:
            self._transport.close()


def _headers(block: bytes) -> dict[str, str]:
    """A header block: a count, then names and values with their lengths."""
    texts, at = [], 4
    for _each in range(2 * struct.unpack(">I", block[:4])[0]):
        size = struct.unpack(">I", block[at : at + 4])[0]
        texts.append(block[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return dict(zip(texts[::2], texts[1::2]))
