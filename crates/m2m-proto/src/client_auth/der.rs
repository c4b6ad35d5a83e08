//! The few parts of a certificate that `webpki` does not give: its subject and
//! its alternative names, used only after `webpki` accepted the certificate; and
//! its dates, which are shown and decide nothing.
//!
//! Limits: definite lengths of at most two bytes (64 KiB), one level of tags.

use crate::time::UnixTime;

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;
/// 2.5.29.17, RFC 5280 section 4.2.1.6.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];

/// Reads tag, length and value, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element; `None` at the end and on anything malformed.
    pub(super) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            0x81 => rest.split_first().map(|(&n, rest)| (usize::from(n), rest))?,
            0x82 => {
                let (bytes, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*bytes)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The value of the next element if it has that tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

/// What `tbsCertificate` holds for us: RFC 5280 section 4.1.
pub(super) struct Names<'a> {
    /// The relative distinguished names, without the outer sequence.
    pub(super) subject: &'a [u8],
    /// The general names, without the outer sequence; empty where there are none.
    pub(super) alternatives: &'a [u8],
}

/// Finds subject and alternative names; `None` where the shape is not that of
/// a certificate.
pub(super) fn names(certificate: &[u8]) -> Option<Names<'_>> {
    let mut outer = Reader::new(Reader::new(certificate).expect(SEQUENCE)?);
    let mut tbs = Reader::new(outer.expect(SEQUENCE)?);
    tbs.expect(VERSION)?;
    tbs.element()?; // serial number
    tbs.expect(SEQUENCE)?; // signature algorithm
    tbs.expect(SEQUENCE)?; // issuer
    tbs.expect(SEQUENCE)?; // validity
    let subject = tbs.expect(SEQUENCE)?;
    tbs.expect(SEQUENCE)?; // public key
    let mut alternatives: &[u8] = &[];
    while let Some((tag, value)) = tbs.element() {
        if tag == EXTENSIONS {
            alternatives = alternative_names(value)?;
        }
    }
    Some(Names { subject, alternatives })
}

/// The first and the last second of a certificate's validity, RFC 5280 section 4.1.2.5.
pub(super) fn validity(certificate: &[u8]) -> Option<(UnixTime, UnixTime)> {
    let mut outer = Reader::new(Reader::new(certificate).expect(SEQUENCE)?);
    let mut tbs = Reader::new(outer.expect(SEQUENCE)?);
    // A certificate of version 1 has no version.
    if tbs.element()?.0 == VERSION {
        tbs.element()?; // serial number
    }
    tbs.expect(SEQUENCE)?; // signature algorithm
    tbs.expect(SEQUENCE)?; // issuer
    let mut dates = Reader::new(tbs.expect(SEQUENCE)?);
    Some((time(dates.element()?)?, time(dates.element()?)?))
}

/// `YYMMDDHHMMSSZ`, years from 1950 to 2049, or `YYYYMMDDHHMMSSZ`. A time before 1970 reads as 1970.
fn time((tag, text): (u8, &[u8])) -> Option<UnixTime> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let mut parts = rest.chunks_exact(2).map(number);
    let [month, day, hour, minute, second] =
        [parts.next()??, parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    if rest.len() != 10 {
        return None;
    }
    if year < 1970 {
        return Some(UnixTime::default());
    }
    UnixTime::from_calendar([year, month, day], [hour, minute, second])
}

fn number(digits: &[u8]) -> Option<u64> {
    let digit = |value: u64, byte: &u8| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'));
    digits.iter().try_fold(0, digit)
}

fn alternative_names(extensions: &[u8]) -> Option<&[u8]> {
    let mut list = Reader::new(Reader::new(extensions).expect(SEQUENCE)?);
    while !list.is_empty() {
        let mut extension = Reader::new(list.expect(SEQUENCE)?);
        let id = extension.expect(OBJECT_IDENTIFIER)?;
        let (mut tag, mut value) = extension.element()?;
        if tag == BOOLEAN {
            (tag, value) = extension.element()?;
        }
        if id == SUBJECT_ALT_NAME && tag == OCTET_STRING {
            return Reader::new(value).expect(SEQUENCE);
        }
    }
    Some(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_or_odd_input_ends_the_reading() {
        let check = |bytes: &[u8], expect: Option<(u8, &[u8])>| {
            assert_eq!(Reader::new(bytes).element(), expect, "{bytes:?}");
        };
        check(&[], None);
        check(&[0x30], None);
        check(&[0x30, 0x01], None);
        check(&[0x30, 0x80, 0, 0], None); // indefinite
        check(&[0x30, 0x83, 0, 0, 1, 5], None); // longer than any certificate here
        check(&[0x04, 0x81, 0x01, 7], Some((4, &[7])));
        check(&[0x04, 0x82, 0, 1, 7, 9], Some((4, &[7])));
    }

    #[test]
    fn every_prefix_of_a_certificate_is_survived() {
        let der = include_bytes!("../../testdata/mtls/client.der");
        for end in 0..der.len() {
            assert!(names(&der[..end]).is_none());
            assert!(validity(&der[..end]).is_none());
        }
        let found = names(der).unwrap();
        assert!(!found.subject.is_empty() && !found.alternatives.is_empty());
        assert!(names(include_bytes!("../../testdata/mtls/root.der")).unwrap().alternatives.is_empty());
    }

    #[test]
    fn the_dates_are_found_in_each_version() {
        let (first, last) = validity(include_bytes!("../../testdata/mtls/client.der")).unwrap();
        let at = |date| UnixTime::from_calendar(date, [10, 37, 43]).unwrap();
        assert_eq!((first, last), (at([2026, 11, 22]), at([2051, 4, 5])));
        let dates = [&[UTC_TIME, 13][..], b"261125120000Z", &[UTC_TIME, 13], b"261126120000Z"].concat();
        // serial number, algorithm and issuer, as short as they get
        let before = [SEQUENCE, 41, SEQUENCE, 39, 0x02, 1, 7, SEQUENCE, 0, SEQUENCE, 0, SEQUENCE, 30];
        let (first, last) = validity(&[&before[..], &dates].concat()).unwrap();
        assert_eq!((first.date(), last.date()), ("2026-11-25".to_owned(), "2026-11-26".to_owned()));
    }

    #[test]
    fn both_forms_of_time() {
        let check = |tag, text: &[u8], expect: Option<&str>| {
            assert_eq!(time((tag, text)).map(UnixTime::date).as_deref(), expect, "{text:?}");
        };
        check(UTC_TIME, b"261125120000Z", Some("2026-11-25"));
        check(UTC_TIME, b"491231235959Z", Some("2049-12-31"));
        check(UTC_TIME, b"991231235959Z", Some("1999-12-31"));
        check(UTC_TIME, b"500101000000Z", Some("1970-01-01"));
        check(UTC_TIME, b"690630000000Z", Some("1970-01-01"));
        check(UTC_TIME, b"700102000000Z", Some("1970-01-02"));
        check(GENERALIZED_TIME, b"20501231235959Z", Some("2050-12-31"));
        check(GENERALIZED_TIME, b"99991231235959Z", Some("9999-12-31"));
        check(UTC_TIME, b"261125120000", None);
        check(UTC_TIME, b"2611251200Z", None);
        check(UTC_TIME, b"261125120000+0100Z", None);
        check(UTC_TIME, b"26112512000xZ", None);
        check(GENERALIZED_TIME, b"261125120000Z", None);
        check(SEQUENCE, b"261125120000Z", None);
    }
}
