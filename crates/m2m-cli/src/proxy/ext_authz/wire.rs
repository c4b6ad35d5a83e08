//! Protocol buffers and their framing in gRPC, as far as one small message each way needs them.
//!
//! Sections: protobuf.dev "Encoding"; gRPC over HTTP/2 "Length-Prefixed-Message"
//! Enforces: every length within what is there; no groups; numbers of at most ten bytes. Unknown fields are skipped.
//! Limits: 256 KiB a message, which the caller has read; nesting is as deep as the reader goes, and it goes six levels.

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// A number, which nobody here reads.
    Number,
}

/// The fields of a message, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).ok_or(Malformed)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => self.varint().map(|_| Value::Number)?,
            1 => self.take(8).map(|_| Value::Number)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Number)?,
            _ => return Err(Malformed),
        };
        if tag >> 3 == 0 { Err(Malformed) } else { Ok((tag >> 3, value)) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Writes a message, field by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or_default());
    }

    /// A number, where it is not zero: zero is what an absent one is.
    pub(super) fn number(mut self, field: u64, value: u64) -> Self {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
        self
    }

    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// With the length before it (gRPC): not compressed.
    pub(super) fn framed(&self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or_default();
        [&[0], &length.to_be_bytes()[..], &self.0].concat()
    }

    #[cfg(test)]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why the frame of a request cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// It is compressed, and we said nothing of that.
    Compressed,
    /// It is not one message.
    Broken,
}

/// The one message of a request.
pub(super) fn unframed(body: &[u8]) -> Result<&[u8], Frame> {
    let (flag, rest) = body.split_first().ok_or(Frame::Broken)?;
    let (length, message) = rest.split_first_chunk::<4>().ok_or(Frame::Broken)?;
    match flag {
        0 if u32::from_be_bytes(*length) as usize == message.len() => Ok(message),
        1 => Err(Frame::Compressed),
        _ => Err(Frame::Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>, Malformed> {
        Fields::of(bytes).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let inner = Message::default().bytes(1, b"a").number(2, 300).number(3, 0);
        let outer = Message::default().message(16, &inner).bytes(2, b"");
        assert_eq!(inner.as_bytes(), b"\x0a\x01a\x10\xac\x02");
        let expect = vec![(16, Value::Bytes(inner.as_bytes())), (2, Value::Bytes(b""))];
        assert_eq!(read(outer.as_bytes()).unwrap(), expect);
        assert_eq!(unframed(&outer.framed()), Ok(outer.as_bytes()));
    }

    #[test]
    fn what_is_no_message_is_said_so() {
        let check = |bytes: &[u8]| assert_eq!(read(bytes), Err(Malformed), "{bytes:?}");
        check(b"\x0a");
        check(b"\x0a\x05a");
        check(b"\x0b");
        check(b"\x02\x00");
        check(b"\x09\x00");
        check(&[0xff; 11]);
        check(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(read(b"\x09\0\0\0\0\0\0\0\0\x0d\0\0\0\0"), Ok(vec![(1, Value::Number); 2]));
        for (frame, expect) in
            [(&b""[..], Frame::Broken), (b"\0\0\0\0", Frame::Broken), (b"\0\0\0\0\x02a", Frame::Broken)]
        {
            assert_eq!(unframed(frame), Err(expect), "{frame:?}");
        }
        assert_eq!(unframed(b"\x01\0\0\0\x01a"), Err(Frame::Compressed));
    }

    #[test]
    fn no_bytes_are_too_strange() {
        let mut state = 1_u64;
        for length in 0..4000_usize {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                u8::try_from(state >> 56).unwrap()
            };
            let bytes: Vec<u8> = (0..length % 64).map(|_| next()).collect();
            let _either = read(&bytes);
            let _either = unframed(&bytes);
        }
    }
}
