//! Writes replies in the protocol version that the connection speaks.

use super::write_length;
use crate::base::number;

/// A place in a reply where the length of an aggregate is still to be written.
#[derive(Debug)]
#[must_use = "an aggregate without its length breaks the protocol"]
pub struct Deferred(usize);

/// A growing reply. Every method appends one RESP value; aggregates are followed by their elements.
#[derive(Debug, Default)]
pub struct Reply {
    buffer: Vec<u8>,
    resp3: bool,
}

impl Reply {
    /// An empty RESP2 reply.
    pub fn resp2() -> Self {
        Self::default()
    }

    /// An empty RESP3 reply.
    pub fn resp3() -> Self {
        Self { buffer: Vec::new(), resp3: true }
    }

    /// Continues behind the bytes of `buffer`.
    pub fn continuing(buffer: Vec<u8>, resp3: bool) -> Self {
        Self { buffer, resp3 }
    }

    /// The bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Memory held, in bytes.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes back everything behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.buffer.truncate(len);
    }

    /// Whether RESP3 is spoken.
    pub fn is_resp3(&self) -> bool {
        self.resp3
    }

    /// Changes the protocol version for what follows (`HELLO`).
    pub fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// Bytes that are already RESP.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string; it must hold no line break.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error with its code (`ERR …`, `WRONGTYPE …`); line breaks at its end are left out, others become blanks.
    pub fn error(&mut self, message: &[u8]) {
        let end = message.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        let message = &message[..end];
        self.buffer.push(b'-');
        self.buffer.extend(message.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        self.line(b':', itoa::Buffer::new().format(value).as_bytes());
    }

    /// A count as an integer.
    pub fn count(&mut self, value: usize) {
        self.line(b':', itoa::Buffer::new().format(value).as_bytes());
    }

    /// A bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.buffer.reserve(bytes.len() + 16);
        write_length(&mut self.buffer, b'$', bytes.len());
        self.buffer.extend_from_slice(bytes);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// No value: the null bulk string of RESP2.
    pub fn null(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No value: the null array of RESP2.
    pub fn null_array(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// An array of `len` elements.
    pub fn array(&mut self, len: usize) {
        write_length(&mut self.buffer, b'*', len);
    }

    /// A map of `pairs` pairs; a flat array in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.resp3 {
            write_length(&mut self.buffer, b'%', pairs);
        } else {
            write_length(&mut self.buffer, b'*', pairs * 2);
        }
    }

    /// A set of `len` elements; an array in RESP2.
    pub fn set(&mut self, len: usize) {
        write_length(&mut self.buffer, if self.resp3 { b'~' } else { b'*' }, len);
    }

    /// An out-of-band message of `len` elements; an array in RESP2.
    pub fn push(&mut self, len: usize) {
        write_length(&mut self.buffer, if self.resp3 { b'>' } else { b'*' }, len);
    }

    /// A truth value; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match (self.resp3, value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// A floating-point number whose text is already as Redis prints it; a bulk string in RESP2.
    pub fn double_text(&mut self, text: &str) {
        if self.resp3 { self.line(b',', text.as_bytes()) } else { self.bulk(text.as_bytes()) }
    }

    /// A floating-point number; a bulk string in RESP2.
    pub fn double(&mut self, value: f64) {
        let integer = value as i64;
        // Most scores are integers that nothing has to be computed for.
        if integer as f64 == value && integer != 0 && integer.unsigned_abs() < 1 << f64::MANTISSA_DIGITS {
            self.double_text(itoa::Buffer::new().format(integer));
            return;
        }
        let mut text = Vec::with_capacity(32);
        number::format_f64(value, &mut text);
        if self.resp3 { self.line(b',', &text) } else { self.bulk(&text) }
    }

    /// An integer of any size, in digits; a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &[u8]) {
        if self.resp3 { self.line(b'(', digits) } else { self.bulk(digits) }
    }

    /// Text with a three-letter format (`txt`, `mkd`); a bulk string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        write_length(&mut self.buffer, b'=', text.len() + 4);
        self.raw(format.as_bytes());
        self.raw(b":");
        self.raw(text);
        self.raw(b"\r\n");
    }

    /// Starts an aggregate whose length is not known yet; [`Reply::finish_array`] or a sibling writes it.
    pub fn deferred(&self) -> Deferred {
        Deferred(self.buffer.len())
    }

    /// Writes the length of an array started by [`Reply::deferred`].
    pub fn finish_array(&mut self, start: Deferred, len: usize) {
        self.finish(&start, b'*', len);
    }

    /// Writes the length of a map started by [`Reply::deferred`].
    pub fn finish_map(&mut self, start: Deferred, pairs: usize) {
        if self.resp3 { self.finish(&start, b'%', pairs) } else { self.finish(&start, b'*', pairs * 2) }
    }

    /// Writes the length of a set started by [`Reply::deferred`].
    pub fn finish_set(&mut self, start: Deferred, len: usize) {
        self.finish(&start, if self.resp3 { b'~' } else { b'*' }, len);
    }

    fn finish(&mut self, start: &Deferred, kind: u8, len: usize) {
        let mut header = Vec::with_capacity(16);
        write_length(&mut header, kind, len);
        self.buffer.splice(start.0..start.0, header);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.buffer.push(kind);
        self.buffer.extend_from_slice(text);
        self.buffer.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_gets_its_own_forms() {
        let write = |mut reply: Reply| {
            let start = reply.deferred();
            reply.null();
            reply.boolean(true);
            reply.verbatim("txt", b"hi");
            reply.double_text("1.5");
            reply.double(-2.0);
            reply.double(0.1);
            reply.double(-0.0);
            reply.double(f64::INFINITY);
            reply.finish_map(start, 4);
            let start = reply.deferred();
            reply.ok();
            reply.finish_set(start, 1);
            reply.set(0);
            String::from_utf8(reply.into_bytes()).unwrap()
        };
        assert_eq!(
            write(Reply::resp2()),
            "*8\r\n$-1\r\n:1\r\n$2\r\nhi\r\n$3\r\n1.5\r\n$2\r\n-2\r\n$3\r\n0.1\r\n$2\r\n-0\r\n$3\r\ninf\r\n*1\r\n+OK\r\n*0\r\n"
        );
        assert_eq!(
            write(Reply::resp3()),
            "%4\r\n_\r\n#t\r\n=6\r\ntxt:hi\r\n,1.5\r\n,-2\r\n,0.1\r\n,-0\r\n,inf\r\n~1\r\n+OK\r\n~0\r\n"
        );
    }

    #[test]
    fn an_error_stays_on_its_line() {
        let mut reply = Reply::resp2();
        reply.error(b"ERR a\r\nb\r\n");
        assert_eq!(reply.as_bytes(), b"-ERR a  b\r\n");
    }
}
