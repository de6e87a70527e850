//! iCalendar files: which days they have, and what is refused rather than read wrongly.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fmt::Write;

use cronfleet_core::calendar::ics::{BYTES_MAX, IcsDays, IcsError, read_ics};
use cronfleet_core::calendar::own::ranges;
use cronfleet_core::schedule::bundled_zone;

/// A file with one event of these lines.
fn file(lines: &str) -> String {
    let lines = lines.replace('\n', "\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn read(text: &str) -> Result<IcsDays, IcsError> {
    read_ics(text, None, bundled_zone("Asia/Shanghai").as_ref())
}

fn text(days: &IcsDays) -> String {
    let ranges = ranges(&days.days);
    let texts: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// Of the days of an event only those up to a year.
fn until(lines: &str, year: i16) -> String {
    let mut days = read(&file(lines)).unwrap();
    days.days.retain(|date| date.year() <= year);
    text(&days)
}

#[test]
fn an_event_has_the_days_from_its_beginning_to_its_end() {
    let cases = [
        ("DTSTART;VALUE=DATE:20261001", "2026-10-01"),
        ("DTSTART:20261001", "2026-10-01"),
        (
            "DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261008",
            "2026-10-01/2026-10-07",
        ),
        (
            "DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261001",
            "2026-10-01",
        ),
        (
            "DTSTART;VALUE=DATE:20261001\nDURATION:P1W",
            "2026-10-01/2026-10-07",
        ),
        (
            "DTSTART;VALUE=DATE:20261001\nDURATION:P2D",
            "2026-10-01/2026-10-02",
        ),
        ("DTSTART:20261001T090000", "2026-10-01"),
        (
            "DTSTART:20261001T000000\nDTEND:20261002T000000",
            "2026-10-01",
        ),
        (
            "DTSTART:20261001T220000\nDTEND:20261002T000001",
            "2026-10-01/2026-10-02",
        ),
        ("DTSTART:20261001T220000\nDURATION:PT2H", "2026-10-01"),
        (
            "DTSTART:20261001T220000\nDURATION:P1DT2H1S",
            "2026-10-01/2026-10-03",
        ),
        (
            "DTSTART;TZID=America/New_York:20261001T230000",
            "2026-10-01",
        ),
        // What is in UTC belongs to the day of the event's own zone.
        (
            "DTSTART;TZID=America/New_York:20261001T230000\nDTEND:20261002T030100Z",
            "2026-10-01",
        ),
        (
            "DTSTART;TZID=America/New_York:20261001T230000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261003T030000Z",
            "2026-10-01 2026-10-03",
        ),
        ("DTSTART:20261001T160000Z", "2026-10-02"),
        ("DTSTART;X-A=\"a:b;c\":20261001T155959Z", "2026-10-01"),
        (
            "DTSTART;VALUE=DATE:2026\n 1001\nSUMMARY:folded",
            "2026-10-01",
        ),
        ("DTSTART:20261001\nSTATUS:CANCELLED", ""),
        (
            "DTSTART:20261001\nBEGIN:VALARM\nDURATION:P9D\nEND:VALARM",
            "2026-10-01",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(text(&read(&file(lines)).unwrap()), expected, "{lines}");
    }
}

#[test]
fn rules_give_the_days_of_the_standard_s_examples() {
    // After RFC 5545, section 3.8.5.3, and what calendar programs write.
    let cases = [
        (
            "DTSTART:20260101\nRRULE:FREQ=YEARLY;COUNT=3",
            2100,
            "2026-01-01 2027-01-01 2028-01-01",
        ),
        (
            "DTSTART:20240229\nRRULE:FREQ=YEARLY",
            2030,
            "2024-02-29 2028-02-29",
        ),
        (
            "DTSTART:20261001\nDTEND:20261004\nRRULE:FREQ=YEARLY;UNTIL=20271001",
            2100,
            "2026-10-01/2026-10-03 2027-10-01/2027-10-03",
        ),
        (
            "DTSTART:20260102\nRRULE:FREQ=DAILY;INTERVAL=10;COUNT=3",
            2100,
            "2026-01-02 2026-01-12 2026-01-22",
        ),
        (
            "DTSTART:20260130\nRRULE:FREQ=DAILY;BYMONTH=1;UNTIL=20270102",
            2100,
            "2026-01-30/2026-01-31 2027-01-01/2027-01-02",
        ),
        (
            "DTSTART:20260105\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3",
            2100,
            "2026-01-05 2026-01-07 2026-01-12",
        ),
        // The week begins on the day that WKST says.
        (
            "DTSTART:19970805\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            2100,
            "1997-08-05 1997-08-10 1997-08-19 1997-08-24",
        ),
        (
            "DTSTART:19970805\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            2100,
            "1997-08-05 1997-08-17 1997-08-19 1997-08-31",
        ),
        (
            "DTSTART:19970905\nRRULE:FREQ=MONTHLY;COUNT=3;BYDAY=1FR",
            2100,
            "1997-09-05 1997-10-03 1997-11-07",
        ),
        (
            "DTSTART:19970922\nRRULE:FREQ=MONTHLY;COUNT=3;BYDAY=-2MO",
            2100,
            "1997-09-22 1997-10-20 1997-11-17",
        ),
        (
            "DTSTART:19970928\nRRULE:FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-3",
            2100,
            "1997-09-28 1997-10-29 1997-11-28",
        ),
        (
            "DTSTART:20260131\nRRULE:FREQ=MONTHLY;COUNT=3",
            2100,
            "2026-01-31 2026-03-31 2026-05-31",
        ),
        (
            "DTSTART:19980213\nRRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3",
            2100,
            "1998-02-13 1998-03-13 1998-11-13",
        ),
        (
            "DTSTART:19970929\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3",
            2100,
            "1997-09-29 1997-10-30 1997-11-27",
        ),
        (
            "DTSTART:19970519\nRRULE:FREQ=YEARLY;BYDAY=20MO;COUNT=3",
            2100,
            "1997-05-19 1998-05-18 1999-05-17",
        ),
        (
            "DTSTART:19970313\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=TH;UNTIL=19970331",
            2100,
            "1997-03-13 1997-03-20 1997-03-27",
        ),
        (
            "DTSTART:19961105\nRRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3",
            2100,
            "1996-11-05 2000-11-07 2004-11-02",
        ),
        // UNTIL is an instant: 2026-01-03 00:00 in Shanghai.
        (
            "DTSTART;TZID=Asia/Shanghai:20260101T000000\nRRULE:FREQ=DAILY;UNTIL=20260102T160000Z",
            2100,
            "2026-01-01/2026-01-03",
        ),
        (
            "DTSTART;TZID=America/New_York:20260101T090000\nRRULE:FREQ=DAILY;UNTIL=20260103T135959Z",
            2100,
            "2026-01-01/2026-01-02",
        ),
        (
            "DTSTART:20260101\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20260102,20260103",
            2100,
            "2026-01-01 2026-01-04",
        ),
        (
            "DTSTART:20260101\nRDATE:20260601,20260701\nEXDATE:20260601",
            2100,
            "2026-01-01 2026-07-01",
        ),
        (
            "DTSTART:19491001\nRRULE:FREQ=YEARLY",
            1972,
            "1970-10-01 1971-10-01 1972-10-01",
        ),
    ];
    for (lines, year, expected) in cases {
        assert_eq!(until(lines, year), expected, "{lines}");
    }
    let yearly = read(&file("DTSTART:20260101\nRRULE:FREQ=YEARLY")).unwrap();
    assert_eq!(yearly.days.len(), 75, "from 2026 until 2100");
}

#[test]
fn what_is_not_understood_is_refused_with_its_line_and_property() {
    let cases = [
        (
            "DTSTART:2026-10-01",
            "line 5, DTSTART: \"2026-10-01\" is not a date such as 20261001",
        ),
        (
            "DTSTART:20260230",
            "line 5, DTSTART: \"20260230\" is not a date such as 20261001",
        ),
        (
            "DTSTART:20261001T250000",
            "line 5, DTSTART: \"20261001T250000\" is not a time such as 20261001T090000",
        ),
        (
            "DTSTART:20261001\nDTSTART:20261002",
            "line 6, DTSTART: it comes twice in one event",
        ),
        ("SUMMARY:x", "line 3, VEVENT: the event has no DTSTART"),
        (
            "DTSTART:20261002\nDTEND:20261001",
            "line 6, DTEND: the event ends before it begins",
        ),
        (
            "DTSTART:20261002\nDTEND:20261003T000000",
            "line 6, DTEND: \"20261003T000000\" is not of the kind of DTSTART",
        ),
        (
            "DTSTART:20261002\nDURATION:PT5H",
            "line 6, DURATION: \"PT5H\" is not a whole number of days",
        ),
        (
            "DTSTART:20261002\nDURATION:-P1D",
            "line 6, DURATION: \"-P1D\" is not a length such as P1D or PT2H",
        ),
        (
            "DTSTART:20261002\nRECURRENCE-ID:20261001",
            "line 6, RECURRENCE-ID: RECURRENCE-ID is not supported",
        ),
        (
            "DTSTART:20261002\nEXRULE:FREQ=DAILY",
            "line 6, EXRULE: EXRULE is not supported",
        ),
        (
            "DTSTART:20261002\nRDATE;VALUE=PERIOD:20261002T000000Z/P1D",
            "line 6, RDATE: a PERIOD is not supported",
        ),
        (
            "DTSTART:20261002\nRRULE:FREQ=HOURLY",
            "line 6, RRULE: FREQ=HOURLY is not supported",
        ),
        (
            "DTSTART:20261002\nRRULE:FREQ=YEARLY;BYWEEKNO=20",
            "line 6, RRULE: BYWEEKNO=20 is not supported",
        ),
        (
            "DTSTART:20261002\nRRULE:FREQ=YEARLY;BYEASTER=0",
            "line 6, RRULE: BYEASTER=0 is not supported",
        ),
        (
            "DTSTART:20261002\nRRULE:FREQ=WEEKLY;BYDAY=1FR",
            "line 6, RRULE: BYDAY with a number and FREQ=DAILY or WEEKLY is not supported",
        ),
        (
            "DTSTART:20261002\nRRULE:COUNT=2",
            "line 6, RRULE: \"COUNT=2\" is not a rule with FREQ",
        ),
        (
            "DTSTART:20261002\nRRULE:FREQ=DAILY;COUNT=2;UNTIL=20261101",
            "line 6, RRULE: \"FREQ=DAILY;COUNT=2;UNTIL=20261101\" is not a rule with either COUNT or UNTIL",
        ),
        (
            "DTSTART:20261002\nRRULE:FREQ=DAILY;INTERVAL=0",
            "line 6, RRULE: \"0\" is not a number from 1 to 10000",
        ),
        (
            "DTSTART:20261002\nRRULE:FREQ=WEEKLY;BYDAY=MO",
            "line 6, RRULE: the first day, 2026-10-02, is not one that the rule asks for",
        ),
        (
            "DTSTART;TZID=Customized:20261002T090000\nRRULE:FREQ=DAILY;UNTIL=20261101T000000Z",
            "line 6, RRULE: there is no time zone \"Customized\"",
        ),
        (
            "DTSTART;TZID=Customized:20261001T090000\nEXDATE:20261001T010000Z",
            "line 6, EXDATE: there is no time zone \"Customized\"",
        ),
        (
            "DTSTART:19691231",
            "line 5, DTSTART: 1969-12-31 is not between 1970 and 2100",
        ),
        (
            "DTSTART:19700101\nDTEND:20400101",
            "line 5, DTSTART: the events have more than 20000 days",
        ),
        (
            "DTSTART:19700101\nRRULE:FREQ=DAILY",
            "line 5, DTSTART: the events have more than 20000 days",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(
            read(&file(lines)).unwrap_err().to_string(),
            expected,
            "{lines}"
        );
    }
    let utc = file("DTSTART:20261001T160000Z");
    let error = read_ics(&utc, None, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 5, DTSTART: the time is in UTC: say in which time zone its day is meant"
    );
}

#[test]
fn what_is_no_icalendar_is_refused() {
    for text in [
        "",
        "\n\n",
        "hello",
        "BEGIN:VEVENT\nDTSTART:20261001\nEND:VEVENT\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261001\n",
        "BEGIN:VCALENDAR\nEND:VEVENT\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nno colon\nEND:VEVENT\nEND:VCALENDAR\n",
        "SUMMARY:x\nBEGIN:VCALENDAR\nEND:VCALENDAR\n",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    let long = " ".repeat(BYTES_MAX + 1);
    assert_eq!(
        read(&long).unwrap_err().to_string(),
        "line 1, file: the file has more than 1 MiB"
    );
    let none = read("BEGIN:VCALENDAR\nEND:VCALENDAR").unwrap();
    assert_eq!((none.days.len(), none.events), (0, 0));
}

#[test]
fn events_are_chosen_by_their_summaries() {
    let mut text = "BEGIN:VCALENDAR\n".to_owned();
    for (day, summary) in [
        (1, "Holiday (off)"),
        (2, "HOLIDAY (OFF)"),
        (10, "work instead"),
    ] {
        write!(
            text,
            "BEGIN:VEVENT\nDTSTART:202610{day:02}\nSUMMARY:{summary}\nEND:VEVENT\n"
        )
        .unwrap();
    }
    text.push_str("END:VCALENDAR\n");
    let off = read_ics(&text, Some("(off)"), None).unwrap();
    assert_eq!(
        (self::text(&off).as_str(), off.events, off.others),
        ("2026-10-01/2026-10-02", 2, 1)
    );
}

#[test]
fn the_work_for_a_hostile_file_is_bounded() {
    let mut text = "BEGIN:VCALENDAR\n".to_owned();
    for _ in 0..15_000 {
        text.push_str("BEGIN:VEVENT\nDTSTART:19700101\nRRULE:FREQ=DAILY\nEXDATE:1\nEND:VEVENT\n");
    }
    text.push_str("END:VCALENDAR\n");
    assert!(read(&text).is_err());
    let text = text
        .replace("EXDATE:1\n", "")
        .replace("FREQ=DAILY", "FREQ=YEARLY;BYMONTH=1");
    let error = read(&text).unwrap_err().to_string();
    assert!(error.ends_with("take too long to work out"), "{error}");
}

/// Every kind of line that is read, to be spoilt.
const RICH: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Berlin\r\nEND:VTIMEZONE\r\n\
BEGIN:VEVENT\r\nDTSTART;TZID=Europe/Berlin:20261030T220000\r\nDURATION:P1DT2H1S\r\n\
RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR,2MO;UNTIL=20271231T000000Z\r\nEXDATE:20261214T220000\r\n\
SUMMARY:Ferien \u{5047}\r\n \u{671f}\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\n\
DTEND;VALUE=DATE:20261227\r\nRRULE:FREQ=YEARLY;COUNT=5;BYMONTH=12;BYMONTHDAY=24\r\nRDATE;VALUE=DATE:20280103,20280104\r\n\
BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn spoilt_files_are_read_or_refused_and_nothing_worse() {
    read(RICH).unwrap();
    let negative = RICH.replace("T220000", "T-10000");
    assert_eq!(read(&negative).unwrap_err().property, "DTSTART");
    let letters: Vec<char> = "0129-+:;,=TZPDW\r\n \"\u{1f4c5}\u{feff}".chars().collect();
    let mut state = 20_261_001_u64;
    let mut draw = |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % most
    };
    let mut refused = 0;
    for _ in 0..4_000 {
        let mut spoilt: Vec<char> = RICH.chars().collect();
        for _ in 0..=draw(3) {
            let place = draw(spoilt.len());
            match draw(3) {
                0 => drop(spoilt.remove(place)),
                1 => spoilt.insert(place, letters[draw(letters.len())]),
                _ => spoilt[place] = letters[draw(letters.len())],
            }
        }
        let spoilt: String = spoilt.into_iter().collect();
        match read(&spoilt) {
            Ok(days) => assert!(days.days.len() <= 20_000),
            Err(error) => {
                refused += 1;
                assert!(error.line <= spoilt.lines().count() + 1, "{error}");
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}
