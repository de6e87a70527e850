//! Blotting out secrets in output before it reaches the disk, also where a secret is split between two reads.
//!
//! What may be the beginning of a secret is kept back until the next bytes of its stream, or its end, show whether it is one.

/// What stands in place of a secret. Shorter than any pattern.
const BLOT: &[u8] = b"***";

/// Looks for patterns in two streams.
pub(crate) struct Mask {
    /// Longest first, so that of two that begin alike the longer one wins.
    patterns: Vec<Vec<u8>>,
    /// For each first byte the patterns that begin with it. On the heap: a mask is a part of what the shim moves about, and each copy of
    /// 6 KiB would stay in the pages of its stack.
    by_first: Vec<Vec<usize>>,
    /// For each stream what was kept back.
    begun: [Vec<u8>; 2],
}

impl Mask {
    /// Makes a mask; `None` without patterns. Those that are no longer than what takes their place are left out.
    pub(crate) fn new(patterns: impl IntoIterator<Item = Vec<u8>>) -> Option<Self> {
        let mut patterns: Vec<Vec<u8>> = patterns
            .into_iter()
            .filter(|pattern| pattern.len() > BLOT.len())
            .collect();
        if patterns.is_empty() {
            return None;
        }
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.len()));
        let mut by_first = vec![Vec::new(); 256];
        for (index, pattern) in patterns.iter().enumerate() {
            by_first[usize::from(pattern[0])].push(index);
        }
        Some(Self {
            patterns,
            by_first,
            begun: [Vec::new(), Vec::new()],
        })
    }

    /// Puts what was kept back of a stream at the beginning of `data`; says how much that is. Less than the longest pattern.
    pub(crate) fn load(&self, stream: usize, data: &mut [u8]) -> usize {
        let begun = &self.begun[stream];
        data[..begun.len()].copy_from_slice(begun);
        begun.len()
    }

    /// Blots out secrets in what was loaded and read of a stream. Says how much of `data` may go on; the rest is kept back, or
    /// nothing if the stream is over.
    pub(crate) fn apply(&mut self, stream: usize, data: &mut [u8], is_last: bool) -> usize {
        let (mut from, mut to) = (0, 0);
        while from < data.len() {
            match self.look(&data[from..], is_last) {
                Sight::Secret(len) => {
                    data[to..to + BLOT.len()].copy_from_slice(BLOT);
                    from += len;
                    to += BLOT.len();
                }
                Sight::Begun => break,
                Sight::Plain => {
                    data[to] = data[from];
                    from += 1;
                    to += 1;
                }
            }
        }
        self.begun[stream].clear();
        self.begun[stream].extend_from_slice(&data[from..]);
        to
    }

    fn look(&self, data: &[u8], is_last: bool) -> Sight {
        for index in &self.by_first[usize::from(data[0])] {
            let pattern = &self.patterns[*index];
            if data.starts_with(pattern) {
                return Sight::Secret(pattern.len());
            }
            if !is_last && pattern.starts_with(data) {
                return Sight::Begun;
            }
        }
        Sight::Plain
    }
}

/// What stands at the beginning of some bytes.
enum Sight {
    /// A secret of this length.
    Secret(usize),
    /// What may become a secret.
    Begun,
    /// Neither.
    Plain,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(patterns: &[&str]) -> Mask {
        Mask::new(patterns.iter().map(|text| text.as_bytes().to_vec())).unwrap()
    }

    /// Sends a text through in pieces of one length.
    fn through(mask: &mut Mask, text: &[u8], piece_len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut pieces = text.chunks(piece_len).peekable();
        while let Some(piece) = pieces.next() {
            let mut data = [0; 256];
            let begun = mask.load(0, &mut data);
            data[begun..begun + piece.len()].copy_from_slice(piece);
            let is_last = pieces.peek().is_none();
            let len = mask.apply(0, &mut data[..begun + piece.len()], is_last);
            out.extend_from_slice(&data[..len]);
        }
        out
    }

    #[test]
    fn a_secret_is_blotted_out_wherever_it_is_cut() {
        let text = b"password hunter22, hunter2 hunter22hunter22 hunter23longer hunter2";
        let expected = "password ***, hunter2 ****** *** hunter2";
        for piece_len in 1..=text.len() {
            let mut mask = mask(&["hunter22", "hunter23longer"]);
            let out = through(&mut mask, text, piece_len);
            assert_eq!(str::from_utf8(&out), Ok(expected), "pieces of {piece_len}");
        }
    }

    #[test]
    fn of_two_that_begin_alike_the_longer_one_wins() {
        for piece_len in 1..=20 {
            let mut mask = mask(&["secret", "secretary"]);
            let out = through(&mut mask, b"secretary secret secreta", piece_len);
            assert_eq!(str::from_utf8(&out), Ok("*** *** ***a"));
        }
    }

    #[test]
    fn streams_do_not_complete_each_other_and_nothing_is_lost() {
        let mut mask = mask(&["hunter22"]);
        let mut out = *b"hunter";
        assert_eq!(mask.apply(0, &mut out, false), 0);
        let mut err = *b"22";
        assert_eq!(mask.apply(1, &mut err, true), 2);
        let mut data = [0; 20];
        let begun = mask.load(0, &mut data);
        assert_eq!(&data[..begun], b"hunter");
        assert_eq!(mask.apply(0, &mut data[..begun], true), 6);
        assert_eq!(mask.load(0, &mut data), 0);
    }

    #[test]
    fn what_is_too_short_is_no_pattern() {
        assert!(Mask::new([b"abc".to_vec(), Vec::new()]).is_none());
    }
}
