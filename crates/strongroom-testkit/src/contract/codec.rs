//! What every [`Codec`] promises.

use std::sync::Arc;
use std::thread;

use strongroom_core::codec::{Codec, CodecId, FrameCoder, FrameId, PartHeader};
use strongroom_core::id::RepositoryId;
use strongroom_core::{ErrorKind, Result};

/// What a codec notices of changed bytes and wrong places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Nothing for certain: changed bytes may decode to other bytes (plain, lz4). Still no panic, and never beyond
    /// the limit.
    None,
    /// Changed bytes are `Corrupt` (a checksum).
    Bytes,
    /// Changed bytes, and a frame of another part, index or end, are `Corrupt` (seal).
    Place,
}

const MIB: usize = 1 << 20;
/// Room that codecs before this one in the stack may have added to a frame of 1 MiB.
const ADDED: usize = 8192;

/// Checks every promise of [`Codec`] and [`FrameCoder`]; `binding` says what this codec claims to notice.
/// No coder is given two contents for one place.
///
/// # Panics
/// When a promise is broken, with its clause.
pub fn codec_contract(codec: &dyn Codec, binding: Binding) {
    let check = Check { codec };
    check.names();
    check.round_trips();
    check.appends_and_stays_in_limits();
    check.frames_are_independent();
    check.too_large_a_frame();
    check.hostile_bytes();
    if binding >= Binding::Bytes {
        check.changed_bytes();
    }
    if binding >= Binding::Place {
        check.wrong_places();
    }
}

struct Check<'a> {
    codec: &'a dyn Codec,
}

fn header(part: &str, salt: u8) -> PartHeader {
    PartHeader { repository: RepositoryId::from_u128(7), part: part.to_owned(), salt: [salt; 32] }
}

const FIRST: FrameId = FrameId { index: 0, last: false };

/// Plain bytes of one length: even, text-like and random.
fn samples(length: usize) -> [Vec<u8>; 3] {
    let mut random = vec![0; length];
    fastrand::Rng::with_seed(length as u64).fill(&mut random);
    let text = b"strongroom keeps what it is given; ".iter().copied().cycle().take(length).collect();
    [vec![0; length], text, random]
}

fn decode(coder: &dyn FrameCoder, frame: FrameId, packed: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let result = coder.decode(frame, packed, limit, &mut out);
    assert!(
        out.len() <= limit,
        "codec contract: decode gave {} bytes, more than its limit of {limit} (it returned {result:?})",
        out.len()
    );
    result.map(|()| out)
}

impl Check<'_> {
    fn begin(&self, header: &PartHeader) -> Box<dyn FrameCoder> {
        self.codec.begin(header).unwrap_or_else(|error| panic!("codec contract: begin failed: {error:?}"))
    }

    fn encode(coder: &dyn FrameCoder, frame: FrameId, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if let Err(error) = coder.encode(frame, plain, &mut out) {
            panic!("codec contract: encode of {} bytes failed: {error:?}", plain.len());
        }
        out
    }

    fn corrupt(what: &str, result: &Result<Vec<u8>>) {
        match result {
            Ok(out) => panic!("codec contract: {what} must be Corrupt, but decoded to {} bytes", out.len()),
            Err(error) => assert_eq!(
                error.kind(),
                ErrorKind::Corrupt,
                "codec contract: {what} must be Corrupt, but the error is {error:?}"
            ),
        }
    }

    fn names(&self) {
        let id = self.codec.id();
        assert_eq!(id, self.codec.id(), "codec contract: id() must always give the same name");
        assert!(CodecId::new(id.as_str()).is_ok(), "codec contract: id() must be a valid name");
    }

    fn round_trips(&self) {
        let sizes = [0, 1, 2, 15, 16, 17, 255, 256, 4095, 65_536, MIB - 1, MIB, MIB + ADDED];
        let header = header(&"p".repeat(255), 1);
        let reader = self.begin(&header);
        for (index, size) in (0..).zip(sizes) {
            for plain in samples(size) {
                let writer = self.begin(&header);
                for frame in [FrameId { index, last: false }, FrameId { index: u32::MAX - index, last: true }] {
                    let packed = Self::encode(&*writer, frame, &plain);
                    match decode(&*reader, frame, &packed, size) {
                        Ok(out) => assert!(
                            out == plain,
                            "codec contract: {size} bytes at {frame:?} came back changed ({} bytes)",
                            out.len()
                        ),
                        Err(error) => panic!("codec contract: {size} bytes at {frame:?} did not decode: {error:?}"),
                    }
                }
            }
        }
    }

    fn appends_and_stays_in_limits(&self) {
        for plain in samples(100_000) {
            let coder = self.begin(&header("limits", 2));
            let bare = Self::encode(&*coder, FIRST, &plain);
            let mut packed = b"before".to_vec();
            coder.encode(FIRST, &plain, &mut packed).expect("encoded a moment ago");
            assert!(packed.starts_with(b"before"), "codec contract: encode must append to its output");
            assert!(
                decode(&*coder, FIRST, &packed[6..], plain.len()).is_ok_and(|out| out == plain),
                "codec contract: what encode appends must decode by itself"
            );
            let mut out = b"before".to_vec();
            coder.decode(FIRST, &bare, plain.len(), &mut out).expect("decoded a moment ago");
            assert!(
                out.starts_with(b"before") && out[6..] == plain,
                "codec contract: decode must append to its output, and its limit must not count what is there"
            );
            for limit in [0, 1, plain.len() / 2, plain.len() - 1] {
                Self::corrupt(
                    &format!("a frame longer than its limit of {limit}"),
                    &decode(&*coder, FIRST, &bare, limit),
                );
            }
            let wide = decode(&*coder, FIRST, &bare, usize::MAX);
            assert!(wide.is_ok_and(|out| out == plain), "codec contract: a wide limit must do no harm");
        }
    }

    fn frames_are_independent(&self) {
        let coder: Arc<dyn FrameCoder> = Arc::from(self.begin(&header("threads", 3)));
        let work: Vec<_> = (0..4)
            .map(|thread| {
                let coder = Arc::clone(&coder);
                thread::spawn(move || {
                    let frames = (0..16).map(|at| FrameId { index: at * 4 + thread, last: at == 15 });
                    let plain = |frame: FrameId| frame.index.to_le_bytes().repeat(1000);
                    frames
                        .map(|frame| (frame, Self::encode(&*coder, frame, &plain(frame)), plain(frame)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let mut frames: Vec<(FrameId, Vec<u8>, Vec<u8>)> = Vec::new();
        for thread in work {
            frames.extend(thread.join().unwrap_or_else(|_| panic!("codec contract: encode panicked on a thread")));
        }
        fastrand::Rng::with_seed(3).shuffle(&mut frames);
        for (frame, packed, plain) in &frames {
            assert!(
                decode(&*coder, *frame, packed, plain.len()).is_ok_and(|out| out == *plain),
                "codec contract: frames must decode in any order, whichever thread packed them; {frame:?} did not"
            );
        }
    }

    fn too_large_a_frame(&self) {
        let coder = self.begin(&header("large", 4));
        let plain = vec![1; 5 * MIB];
        let mut packed = Vec::new();
        match coder.encode(FIRST, &plain, &mut packed) {
            Ok(()) => assert!(
                decode(&*coder, FIRST, &packed, plain.len()).is_ok_and(|out| out == plain),
                "codec contract: a frame of 5 MiB was taken, but did not come back"
            ),
            Err(error) => assert_eq!(
                error.kind(),
                ErrorKind::Invalid,
                "codec contract: too large a frame must be Invalid, but the error is {error:?}"
            ),
        }
    }

    /// Random bytes, and honest frames that were cut, lengthened or changed: an error or other bytes, never a panic.
    fn hostile_bytes(&self) {
        let coder = self.begin(&header("hostile", 5));
        let mut rng = fastrand::Rng::with_seed(5);
        let survive = |packed: &[u8]| {
            for limit in [0, 100, MIB] {
                if let Err(error) = decode(&*coder, FIRST, packed, limit) {
                    assert_eq!(
                        error.kind(),
                        ErrorKind::Corrupt,
                        "codec contract: bytes that don't decode must be Corrupt, but the error is {error:?}"
                    );
                }
            }
        };
        for length in (0..64).chain([100, 1000, 70_000]) {
            let mut bytes = vec![0; length];
            survive(&bytes);
            bytes.fill(0xff);
            survive(&bytes);
            rng.fill(&mut bytes);
            survive(&bytes);
        }
        for plain in samples(3000) {
            let honest = Self::encode(&*self.begin(&header("hostile", 5)), FIRST, &plain);
            let far: Vec<_> = (0..40).map(|_| rng.usize(..honest.len().max(1))).collect();
            for at in (0..honest.len().min(64)).chain(far) {
                survive(&honest[..at]);
                let mut changed = honest.clone();
                changed[at] ^= 1 << rng.u8(..8);
                survive(&changed);
                changed[at] = 0xff;
                survive(&changed);
                changed.insert(at, rng.u8(..));
                survive(&changed);
            }
        }
    }

    fn changed_bytes(&self) {
        for plain in samples(300).into_iter().chain(samples(0)) {
            let coder = self.begin(&header("changed", 6));
            let honest = Self::encode(&*coder, FIRST, &plain);
            for at in 0..honest.len() {
                for bit in 0..8 {
                    let mut changed = honest.clone();
                    changed[at] ^= 1 << bit;
                    let result = decode(&*coder, FIRST, &changed, MIB);
                    Self::corrupt(&format!("a frame with bit {bit} of byte {at} flipped"), &result);
                }
                let result = decode(&*coder, FIRST, &honest[..at], MIB);
                Self::corrupt(&format!("a frame cut off after {at} of {} bytes", honest.len()), &result);
            }
            let longer = [honest.as_slice(), &[0]].concat();
            Self::corrupt("a frame with a byte added", &decode(&*coder, FIRST, &longer, MIB));
        }
    }

    fn wrong_places(&self) {
        let right = header("place", 7);
        let coder = self.begin(&right);
        let plain = b"bound to its place".to_vec();
        let frame = FrameId { index: 3, last: false };
        let packed = Self::encode(&*coder, frame, &plain);
        for (what, wrong) in [
            ("a frame at another index", FrameId { index: 4, ..frame }),
            ("a frame at index + 2^16", FrameId { index: 3 + 65_536, ..frame }),
            ("a frame taken as the last", FrameId { last: true, ..frame }),
        ] {
            Self::corrupt(what, &decode(&*coder, wrong, &packed, MIB));
        }
        let end = FrameId { last: true, ..frame };
        let last = Self::encode(&*coder, end, &plain);
        Self::corrupt("a last frame taken as one in the middle", &decode(&*coder, frame, &last, MIB));
        for (what, wrong) in [
            ("a frame of another repository", PartHeader { repository: RepositoryId::from_u128(8), ..right.clone() }),
            ("a frame of another part", PartHeader { part: "other".to_owned(), ..right.clone() }),
            ("a frame of another writing of the part (salt)", header("place", 8)),
        ] {
            Self::corrupt(what, &decode(&*self.begin(&wrong), frame, &packed, MIB));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::Error;

    /// A codec that adds a sum over as much as its binding takes in, and breaks one clause if told to.
    #[derive(Debug, Clone, Copy)]
    struct Toy {
        binding: Binding,
        no_limit: bool,
        replaces_output: bool,
        forgets_salt: bool,
    }

    const SOUND: Toy = Toy { binding: Binding::Place, no_limit: false, replaces_output: false, forgets_salt: false };

    struct ToyCoder(Toy, PartHeader);

    impl Codec for Toy {
        fn id(&self) -> CodecId {
            CodecId::new("toy").unwrap()
        }
        fn begin(&self, header: &PartHeader) -> Result<Box<dyn FrameCoder>> {
            Ok(Box::new(ToyCoder(*self, header.clone())))
        }
    }

    impl ToyCoder {
        fn sum(&self, frame: FrameId, plain: &[u8]) -> Vec<u8> {
            use std::hash::{DefaultHasher, Hash as _, Hasher as _};
            let mut hasher = DefaultHasher::new();
            plain.hash(&mut hasher);
            if self.0.binding == Binding::Place {
                (frame.index, frame.last, &self.1.part, self.1.repository).hash(&mut hasher);
                self.1.salt[usize::from(self.0.forgets_salt) * 32..].hash(&mut hasher);
            }
            let sum = hasher.finish().to_le_bytes();
            if self.0.binding == Binding::None { Vec::new() } else { sum.to_vec() }
        }
    }

    impl FrameCoder for ToyCoder {
        fn encode(&self, frame: FrameId, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
            if self.0.replaces_output {
                out.clear();
            }
            out.extend(self.sum(frame, plain));
            out.extend(plain);
            Ok(())
        }
        fn decode(&self, frame: FrameId, packed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
            let Some((sum, plain)) = packed.split_at_checked(self.sum(frame, &[]).len()) else {
                return Err(Error::corrupt("too short"));
            };
            if plain.len() > limit && !self.0.no_limit || sum != self.sum(frame, plain) {
                return Err(Error::corrupt("toy frame"));
            }
            out.extend(plain);
            Ok(())
        }
    }

    #[test]
    fn sound_codecs_pass() {
        for binding in [Binding::None, Binding::Bytes, Binding::Place] {
            codec_contract(&Toy { binding, ..SOUND }, binding);
        }
    }

    #[test]
    #[should_panic(expected = "more than its limit")]
    fn a_codec_without_limit_fails() {
        codec_contract(&Toy { no_limit: true, ..SOUND }, Binding::Place);
    }

    #[test]
    #[should_panic(expected = "encode must append")]
    fn a_codec_that_clears_its_output_fails() {
        codec_contract(&Toy { replaces_output: true, ..SOUND }, Binding::Place);
    }

    #[test]
    #[should_panic(expected = "a frame of another writing")]
    fn a_codec_that_forgets_the_salt_fails() {
        codec_contract(&Toy { forgets_salt: true, ..SOUND }, Binding::Place);
    }

    #[test]
    #[should_panic(expected = "flipped must be Corrupt")]
    fn a_codec_that_claims_too_much_fails() {
        codec_contract(&Toy { binding: Binding::None, ..SOUND }, Binding::Bytes);
    }
}
