"""HTTP/2, for the listeners that offer it. Needs python3-h2, and is imported by nobody else.

What iam.py and faults.py say is HTTP/1.1; here it is translated, as a proxy would do it. One thread a connection:
it waits for the client or for the next step of any stream, whichever comes first.
"""
import functools
import select
import time

import h2.connection
import h2.events
import hyperframe.frame
from h2.config import H2Configuration
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from answers import ABORT, CLOSE, LEAVE, REFUSE, RESET, STALL, Answer, Raw
from server import IDLE_SECONDS, Gone, Request

ABORTS = {ABORT: ErrorCodes.INTERNAL_ERROR, REFUSE: ErrorCodes.REFUSED_STREAM}
END = object()


class Stream:
    """One request, and then what is left of its answer."""

    def __init__(self, request: Request):
        self.request, self.steps, self.due = request, None, 0.0
        self.out, self.headed, self.ended = bytearray(), False, False


class Connection:
    def __init__(self, server, wire, most: int):
        self.server, self.wire, self.most = server, wire, most
        self.streams: dict[int, Stream] = {}
        self.newest, self.leaving = 0, False
        # What the protocol forbids is sent as it is: that is what faults are.
        self.h2 = h2.connection.H2Connection(H2Configuration(
            client_side=False, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        # Huffman's code would take h2 minutes for a header of 1 MiB.
        self.h2.encoder.encode = functools.partial(self.h2.encoder.encode, huffman=False)

    def run(self) -> None:
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self.most})  # in force when acknowledged
        while self.streams or not self.leaving:
            self.flush()
            if self.readable():
                data = self.wire.sock.recv(65536)
                if not data:
                    return
                for event in self.h2.receive_data(data):
                    self.handle(event)
            for number, stream in list(self.streams.items()):
                self.advance(number, stream)
        self.flush()

    def flush(self) -> None:
        self.wire.sock.sendall(self.h2.data_to_send())

    def readable(self) -> bool:
        """Waits for that, or until a stream can go on."""
        if self.wire.sock.pending():
            return True
        dues = [stream.due for stream in self.streams.values() if stream.steps]
        poll = select.poll()
        poll.register(self.wire.sock, select.POLLIN)
        return bool(poll.poll(1000 * max(0.0, min(dues, default=time.monotonic() + IDLE_SECONDS) - time.monotonic())))

    def handle(self, event) -> None:
        number = getattr(event, "stream_id", None)
        stream = self.streams.get(number)
        if isinstance(event, h2.events.ConnectionTerminated):
            raise Gone
        if isinstance(event, h2.events.RequestReceived) and not self.leaving:
            if len(self.streams) == self.most:  # a client that has not read our settings yet
                self.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
                return
            self.newest = number
            headers = dict(event.headers)
            method, target = headers.pop(":method"), headers.pop(":path")
            self.streams[number] = Stream(Request(self.wire.listener, self.wire.number, method, target, headers, False,
                                                  http="2", stream=number))
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            if stream:
                stream.request.body += event.data
        elif isinstance(event, h2.events.StreamEnded) and stream:
            stream.request.open = len(self.streams)
            answer = self.server.site(stream.request)
            if isinstance(answer, Answer):
                answer = Raw([answer.head() if stream.request.method == "HEAD" else answer.render()])
            stream.steps = iter(answer.steps)
        elif isinstance(event, h2.events.StreamReset) and stream:
            del self.streams[number]
            self.server.journal.cancelled(self.wire.number, number)

    def advance(self, number: int, stream: Stream) -> None:
        while stream.steps and not stream.ended and stream.due <= time.monotonic():
            step = next(stream.steps, END)
            if step is END:
                stream.ended = True
            elif isinstance(step, bytes):
                stream.out += step
            elif isinstance(step, (int, float)):
                stream.due = time.monotonic() + step
            else:
                self.send(number, stream)
                if step is CLOSE and stream.headed:
                    self.h2.end_stream(number)
                self.flush()
                if step in ABORTS:
                    return self.abort(number, ABORTS[step])
                self.whole_connection(step)
        self.send(number, stream)

    def abort(self, number: int, why: ErrorCodes) -> None:
        self.h2.reset_stream(number, why)
        del self.streams[number]

    def whole_connection(self, step) -> None:
        if step is RESET:
            self.wire.reset()
        elif step is STALL:
            self.wire.pause(IDLE_SECONDS)
        elif step is LEAVE:  # not h2's way, which would end all streams
            frame = hyperframe.frame.GoAwayFrame(0, last_stream_id=self.newest)
            self.wire.sock.sendall(frame.serialize())
            self.leaving = True
            return
        raise Gone

    def send(self, number: int, stream: Stream) -> None:
        """As much as the client lets us."""
        while not stream.headed and b"\r\n\r\n" in stream.out:
            head, _, rest = bytes(stream.out).partition(b"\r\n\r\n")
            stream.out = bytearray(rest)
            line, *lines = head.split(b"\r\n")
            status = line.split(b" ")[1]
            pairs = (line.split(b": ", 1) for line in lines)
            self.h2.send_headers(number, [(b":status", status), *((name.lower(), value) for name, value in pairs)])
            stream.headed = not status.startswith(b"1")
        while stream.headed and stream.out:
            size = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(stream.out))
            if size == 0:
                return
            self.h2.send_data(number, bytes(stream.out[:size]))
            del stream.out[:size]
        if stream.ended and stream.headed:
            self.h2.end_stream(number)
            del self.streams[number]
        elif stream.ended:  # without a head there is no answer
            self.abort(number, ErrorCodes.PROTOCOL_ERROR)
