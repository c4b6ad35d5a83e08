//! The list itself: one status for each index, packed into bytes, compressed.
//!
//! Sections: Token Status List sections 4.1, 4.2 and 7.1; RFC 1950
//! Enforces, when reading, in this order: 1, 2, 4 or 8 bits a status; strict
//! base64url; a zlib stream without preset dictionary, complete, with its
//! checksum, and nothing after it; [`MAX_LIST_BYTES`], while inflating, so that
//! a small text cannot ask for a large memory
//! Does not enforce: that an index means anything; that an index is there is
//! [`StatusList::get`]'s answer
//! Limits: 1 MiB inflated, which is 8,388,608 statuses of one bit

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status as Progress};

use crate::jose::base64url;

/// The most bytes of a list, not compressed.
pub const MAX_LIST_BYTES: usize = 1024 * 1024;

/// Why a list was not made, changed or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Not 1, 2, 4 or 8 bits a status.
    #[error("a status of {0} bits; 1, 2, 4 and 8 exist")]
    Bits(u64),
    /// More than [`MAX_LIST_BYTES`].
    #[error("the list is longer than {MAX_LIST_BYTES} bytes")]
    TooLarge,
    /// Not base64url of a complete zlib stream.
    #[error("the list is not base64url of zlib")]
    Malformed,
    /// No such index.
    #[error("index {index} in a list of {len}")]
    OutOfRange {
        /// The index asked for.
        index: u64,
        /// How many there are.
        len: u64,
    },
    /// The status needs more bits than the list has for one.
    #[error("status {status} does not fit into {bits} bits")]
    DoesNotFit {
        /// Its value.
        status: u8,
        /// Bits a status.
        bits: u8,
    },
    /// The compressor failed.
    #[error("the list was not compressed")]
    Library,
}

/// What a list says about one index (section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 0: neither revoked nor suspended.
    Valid,
    /// 1: revoked, for good.
    Invalid,
    /// 2: not valid at present.
    Suspended,
    /// 3 and above: of an application or not assigned. Whoever does not know it does not accept it.
    Other(u8),
}

impl Status {
    /// Of the value in the list.
    #[must_use]
    pub const fn from_value(value: u8) -> Self {
        match value {
            0 => Self::Valid,
            1 => Self::Invalid,
            2 => Self::Suspended,
            other => Self::Other(other),
        }
    }

    /// The value in the list.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
            Self::Other(value) => value,
        }
    }
}

/// One status for each index from 0, all valid at first. The lowest bits of a byte hold the
/// lowest index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusList {
    bits: u8,
    bytes: Vec<u8>,
}

impl StatusList {
    /// At least `len` statuses of one bit: as many as fill whole bytes, because the wire knows
    /// no others.
    ///
    /// # Errors
    /// [`ListError::TooLarge`].
    pub fn new(len: u64) -> Result<Self, ListError> {
        let bytes = usize::try_from(len.div_ceil(8)).map_err(|_| ListError::TooLarge)?;
        if bytes > MAX_LIST_BYTES {
            return Err(ListError::TooLarge);
        }
        Ok(Self { bits: 1, bytes: vec![0; bytes] })
    }

    /// How many indices there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64 * self.per_byte()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bits a status: 1, 2, 4 or 8.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// The status of `index`; `None` where the list has no such index, in which case the token
    /// that names it must be refused (section 8.3).
    // spec: TSL-RS1
    #[must_use]
    pub fn get(&self, index: u64) -> Option<Status> {
        let (at, shift) = self.place(index)?;
        let byte = self.bytes.get(at)?;
        Some(Status::from_value((byte >> shift) & self.mask()))
    }

    /// Gives `index` this status.
    ///
    /// # Errors
    /// [`ListError::DoesNotFit`], [`ListError::OutOfRange`].
    pub fn set(&mut self, index: u64, status: Status) -> Result<(), ListError> {
        let (mask, len) = (self.mask(), self.len());
        if status.value() > mask {
            return Err(ListError::DoesNotFit { status: status.value(), bits: self.bits });
        }
        let (at, shift) = self.place(index).ok_or(ListError::OutOfRange { index, len })?;
        let byte = self.bytes.get_mut(at).ok_or(ListError::OutOfRange { index, len })?;
        *byte = (*byte & !(mask << shift)) | (status.value() << shift);
        Ok(())
    }

    /// The member `lst`: base64url of zlib, as small as the compressor makes it.
    ///
    /// # Errors
    /// [`ListError::Library`].
    pub fn encode(&self) -> Result<String, ListError> {
        Ok(base64url::encode(deflate(&self.bytes)?))
    }

    /// Reads the members `bits` and `lst`.
    ///
    /// # Errors
    /// See the list of checks above.
    // spec: TSL-RS1
    pub fn decode(bits: u64, lst: &str) -> Result<Self, ListError> {
        let bits = match bits {
            1 => 1,
            2 => 2,
            4 => 4,
            8 => 8,
            other => return Err(ListError::Bits(other)),
        };
        let zlib = base64url::decode(lst).map_err(|_| ListError::Malformed)?;
        Ok(Self { bits, bytes: inflate(&zlib)? })
    }

    fn per_byte(&self) -> u64 {
        8 / u64::from(self.bits)
    }

    fn mask(&self) -> u8 {
        u8::MAX >> (8 - self.bits)
    }

    /// The byte of an index, and how far its bits are from the lowest.
    fn place(&self, index: u64) -> Option<(usize, u8)> {
        let at = usize::try_from(index / self.per_byte()).ok()?;
        let within = u8::try_from(index % self.per_byte()).ok()?;
        Some((at, within * self.bits))
    }
}

fn deflate(bytes: &[u8]) -> Result<Vec<u8>, ListError> {
    let mut stream = Compress::new(Compression::best(), true);
    let mut zlib = Vec::with_capacity(bytes.len() / 8 + 64);
    loop {
        let used = usize::try_from(stream.total_in()).map_err(|_| ListError::Library)?;
        let rest = bytes.get(used..).unwrap_or_default();
        match stream.compress_vec(rest, &mut zlib, FlushCompress::Finish) {
            Ok(Progress::StreamEnd) => return Ok(zlib),
            Ok(Progress::Ok | Progress::BufError) => zlib.reserve(zlib.capacity()),
            Err(_) => return Err(ListError::Library),
        }
    }
}

fn inflate(zlib: &[u8]) -> Result<Vec<u8>, ListError> {
    let mut stream = Decompress::new(true);
    // One byte more than allowed, to tell a full list from one that goes on. Deflate gains at
    // most a factor of 1032, so that little needs little memory.
    let room = zlib.len().saturating_mul(1100).min(MAX_LIST_BYTES + 1);
    let mut bytes = Vec::with_capacity(room);
    let progress = stream.decompress_vec(zlib, &mut bytes, FlushDecompress::Finish);
    if bytes.len() > MAX_LIST_BYTES {
        return Err(ListError::TooLarge);
    }
    if !matches!(progress, Ok(Progress::StreamEnd)) || stream.total_in() != zlib.len() as u64 {
        return Err(ListError::Malformed);
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}
