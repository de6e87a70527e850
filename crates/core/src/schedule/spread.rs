//! `H`: a stable value per job, so that jobs written alike do not all run at once.

use sha2::{Digest, Sha256};

/// What the hash is about; another meaning would need another text here.
const DOMAIN: &[u8] = b"cronfleet schedule H v1";

/// The number that `H` draws its value from, for one job and one field.
///
/// The first 8 bytes, big-endian, of SHA-256 over the domain text, the 16 bytes of the job's id (big-endian) and one
/// byte for the field: 0 second, 1 minute, 2 hour, 3 day-of-month, 4 month, 5 day-of-week. It never changes: a job
/// keeps its times over restarts, releases and machines.
pub(super) fn spread_number(job: u128, field_index: u8) -> u64 {
    let digest = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(job.to_be_bytes())
        .chain_update([field_index])
        .finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_numbers_never_change() {
        let job = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        let numbers: Vec<u64> = (0..6).map(|index| spread_number(job, index)).collect();
        assert_eq!(
            numbers,
            [
                5_752_467_028_551_731_089,
                2_446_206_555_795_281_411,
                3_528_577_559_677_273_954,
                10_434_208_682_070_234_870,
                3_667_712_334_695_672_236,
                5_977_420_313_030_790_227
            ]
        );
    }
}
