//! What schedules say about themselves: normalised text, sentences, warnings, notes on clock changes.

use cronfleet_core::schedule::{DstChange, DstEffect, DstPolicy, GapPolicy, Language, Warning};

use crate::{instant, schedule};

#[test]
fn canonical_texts() {
    for (text, canonical) in [
        ("  */5   9-17\t* * MON-FRI ", "*/5 9-17 * * 1-5"),
        ("0 */5 9-17 * * mon-fri", "*/5 9-17 * * 1-5"),
        ("0 0 0 1 1 * *", "0 0 1 1 *"),
        ("*/1 * * * *", "* * * * *"),
        ("0-59 * * * *", "0-59 * * * *"),
        ("0,15,30,45 * * * *", "0-45/15 * * * *"),
        ("*/15,7 * * * *", "*/15,7 * * * *"),
        ("5,*/15 * * * *", "0,5,15-45/15 * * * *"),
        ("0 0 ? * ?", "0 0 * * *"),
        ("0 0 1,15,L,LW,15W,1W * ?", "0 0 1,15,1W,15W,L,LW * *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * SAT-SUN", "0 0 * * 0,6"),
        ("0 0 * * fri#l,1#2,5", "0 0 * * 5,1#2,5L"),
        ("0 0 13 * +5", "0 0 13 * +5"),
        ("0 0 * * +5", "0 0 * * 5"),
        ("0 0 */2 * +5", "0 0 */2 * 5"),
        ("0 0 1 JAN-DEC *", "0 0 1 * *"),
        ("0 0 1 1,4,7,10 *", "0 0 1 */3 *"),
        ("0 0 1 */5 *", "0 0 1 */5 *"),
        ("0 0 1 */11 *", "0 0 1 1,12 *"),
        ("0 0 1 */12 *", "0 0 1 1 *"),
        ("*/30 * * * * *", "*/30 * * * * *"),
        ("* * * * * *", "* * * * * *"),
        ("0 0 0 1 1 * 2026-2030,2040", "0 0 0 1 1 * 2026-2030,2040"),
        ("@weekly", "0 0 * * 0"),
        ("CRON_TZ=Asia/Tokyo @hourly", "0 * * * *"),
        ("05 02 * * 007", "5 2 * * 0"),
    ] {
        assert_eq!(schedule(text, "UTC").canonical(), canonical, "{text}");
    }
}

/// Schedule, English sentence, Chinese sentence; both without the zone.
const SENTENCES: &[(&str, &str, &str)] = &[
    ("30 2 * * *", "Every day at 02:30", "每天 02:30"),
    ("0 30 2 * * *", "Every day at 02:30", "每天 02:30"),
    ("15 30 2 * * *", "Every day at 02:30:15", "每天 02:30:15"),
    (
        "0 9,18 * * *",
        "Every day at 09:00 and 18:00",
        "每天 09:00、18:00",
    ),
    (
        "30 8,12,18,22 * * *",
        "Every day at 08:30, 12:30, 18:30 and 22:30",
        "每天 08:30、12:30、18:30、22:30",
    ),
    ("* * * * * *", "Every second", "每秒"),
    ("*/10 * * * * *", "Every 10 seconds", "每 10 秒"),
    (
        "3-59/10 * * * * *",
        "Every 10 seconds, starting at second 3",
        "每 10 秒（从第 3 秒起）",
    ),
    (
        "30 * * * * *",
        "Every minute at second 30",
        "每分钟第 30 秒",
    ),
    ("* * * * *", "Every minute", "每分钟"),
    ("*/15 * * * *", "Every 15 minutes", "每 15 分钟"),
    (
        "7-59/15 * * * *",
        "Every 15 minutes, starting at :07",
        "每 15 分钟（从第 7 分起）",
    ),
    ("0 * * * *", "Every hour, on the hour", "每小时整点"),
    ("5 * * * *", "Every hour at :05", "每小时第 5 分"),
    (
        "30 5 * * * *",
        "Every hour at :05:30",
        "每小时第 5 分 30 秒",
    ),
    (
        "5,20,40 * * * *",
        "Every hour at :05, :20 and :40",
        "每小时第 5、20、40 分",
    ),
    (
        "*/7 * * * *",
        "Every 7 minutes from :00 through :56 of every hour",
        "每小时第 0 至 56 分，每 7 分钟",
    ),
    (
        "10-20 * * * *",
        "Every minute from :10 through :20 of every hour",
        "每小时第 10 至 20 分，每分钟",
    ),
    ("0 */2 * * *", "Every 2 hours", "每 2 小时"),
    (
        "30 1-23/2 * * *",
        "Every 2 hours, starting at 01:30",
        "每 2 小时（从 01:30 起）",
    ),
    (
        "0 9-17 * * *",
        "Every hour from 09:00 through 17:00",
        "09:00 至 17:00 每小时",
    ),
    (
        "*/15 9-17 * * *",
        "Every 15 minutes from 09:00 through 17:45",
        "09:00 至 17:45 每 15 分钟",
    ),
    (
        "*/15 9-17 * * 1-5",
        "Every 15 minutes from 09:00 through 17:45, Monday to Friday",
        "每周一至周五，09:00 至 17:45 每 15 分钟",
    ),
    (
        "*/5 2 * * *",
        "Every 5 minutes from 02:00 through 02:55",
        "02:00 至 02:55 每 5 分钟",
    ),
    (
        "* 30 2 * * *",
        "Every second from 02:30:00 through 02:30:59",
        "02:30:00 至 02:30:59 每秒",
    ),
    (
        "*/10 * 9-17 * * *",
        "Every 10 seconds from 09:00:00 through 17:59:50",
        "09:00:00 至 17:59:50 每 10 秒",
    ),
    (
        "*/20 8,12,18,22 * * *",
        "Every day at 08:00, 08:20, 08:40, 12:00, 12:20, 12:40, 18:00, 18:20, 18:40, 22:00, 22:20 and 22:40",
        "每天 08:00、08:20、08:40、12:00、12:20、12:40、18:00、18:20、18:40、22:00、22:20、22:40",
    ),
    (
        "*/15 8,12,18,22 * * *",
        "Every 15 minutes of hours 8, 12, 18 and 22",
        "8、12、18、22 时每 15 分钟",
    ),
    (
        "* 8,12,18,22 * * *",
        "Every minute of hours 8, 12, 18 and 22",
        "8、12、18、22 时每分钟",
    ),
    (
        "*/7 * * * * *",
        "At seconds 0 to 56 in steps of 7 of every minute of every hour",
        "每小时每分钟第 0 至 56（步长 7）秒",
    ),
    ("0 0 * * 1", "Every Monday at 00:00", "每周一 00:00"),
    ("0 0 * * 0", "Every Sunday at 00:00", "每周日 00:00"),
    (
        "30 18 * * 1-5",
        "Monday to Friday at 18:30",
        "每周一至周五 18:30",
    ),
    (
        "30 18 * * MON,WED,FRI",
        "Every Monday, Wednesday and Friday at 18:30",
        "每周一、周三、周五 18:30",
    ),
    (
        "0 10 * * SAT-SUN",
        "Every Saturday and Sunday at 10:00",
        "每周六、周日 10:00",
    ),
    (
        "0 * * * 1-5",
        "Every hour, on the hour, Monday to Friday",
        "每周一至周五，每小时整点",
    ),
    (
        "0 0 1 * *",
        "On the 1st of every month at 00:00",
        "每月 1 日 00:00",
    ),
    (
        "0 0 1,15 * *",
        "On the 1st and 15th of every month at 00:00",
        "每月 1 日、15 日 00:00",
    ),
    (
        "0 0 1-7 * *",
        "On the 1st to 7th of every month at 00:00",
        "每月 1 日至 7 日 00:00",
    ),
    (
        "0 0 */2 * *",
        "On every 2nd day from the 1st to the 31st of every month at 00:00",
        "每月 1 日至 31 日（步长 2）00:00",
    ),
    (
        "0 0 1 1 *",
        "On the 1st of January at 00:00",
        "每年 1 月 1 日 00:00",
    ),
    (
        "0 0 1 1,4,7,10 *",
        "On the 1st of January, April, July and October at 00:00",
        "每年 1 月、4 月、7 月、10 月的 1 日 00:00",
    ),
    (
        "0 0 29 2 *",
        "On the 29th of February at 00:00",
        "每年 2 月 29 日 00:00",
    ),
    (
        "0 23 L * *",
        "On the last day of every month at 23:00",
        "每月最后一天 23:00",
    ),
    (
        "0 23 LW * *",
        "On the last weekday (Monday to Friday) of every month at 23:00",
        "每月最后一个工作日（周一至周五）23:00",
    ),
    (
        "0 9 15W * *",
        "On the weekday (Monday to Friday) nearest to the 15th of every month at 09:00",
        "每月最接近 15 日的工作日（周一至周五）09:00",
    ),
    (
        "0 9 * * 2#2",
        "On the second Tuesday of every month at 09:00",
        "每月第 2 个周二 09:00",
    ),
    (
        "0 18 * * 5L",
        "On the last Friday of every month at 18:00",
        "每月最后一个周五 18:00",
    ),
    (
        "0 18 * 12 FRI#L",
        "On the last Friday of December at 18:00",
        "每年 12 月的最后一个周五 18:00",
    ),
    (
        "0 18 * 6-8 5",
        "Every Friday in June to August at 18:00",
        "每年 6 月至 8 月的每周五 18:00",
    ),
    (
        "30 2 * 6 *",
        "Every day in June at 02:30",
        "每年 6 月的每天 02:30",
    ),
    (
        "*/5 * * 6 *",
        "Every 5 minutes, every day in June",
        "每年 6 月的每天，每 5 分钟",
    ),
    (
        "*/5 * 1 * *",
        "Every 5 minutes, on the 1st of every month",
        "每月 1 日，每 5 分钟",
    ),
    (
        "0 0 13 * 5",
        "On the 13th of every month and also every Friday at 00:00",
        "每月 13 日，以及每周五 00:00",
    ),
    (
        "0 0 13 * +5",
        "On the 13th of every month, only if it is a Friday, at 00:00",
        "每月 13 日且为周五 00:00",
    ),
    (
        "0 0 1-7 * +1",
        "On the 1st to 7th of every month, only if it is a Monday, at 00:00",
        "每月 1 日至 7 日且为周一 00:00",
    ),
    (
        "0 0 0 1 1 * 2027",
        "On the 1st of January at 00:00, in 2027",
        "2027 年，每年 1 月 1 日 00:00",
    ),
    (
        "0 30 2 * * * 2027-2030",
        "Every day at 02:30, in 2027 to 2030",
        "2027 至 2030 年，每天 02:30",
    ),
    (
        "0 */5 * * * * 2027",
        "Every 5 minutes, in 2027",
        "2027 年，每 5 分钟",
    ),
    (
        "5,20 8-12,18,22 * * *",
        "At minutes 5 and 20 of hours 8 to 12, 18 and 22",
        "8 至 12、18、22 时第 5、20 分",
    ),
    (
        "*/10 */5 2,4,6 * * *",
        "Every 10 seconds of minutes 0 to 55 in steps of 5 of hours 2, 4 and 6",
        "2、4、6 时第 0 至 55（步长 5）分每 10 秒",
    ),
    ("0 0 1-31 * 1", "Every day at 00:00", "每天 00:00"),
    (
        "0 0 13,L * MON#1,FRI",
        "On the 13th and the last day of every month and also every Friday and on the first Monday of every month at 00:00",
        "每月 13 日、最后一天，以及每周五，以及每月第 1 个周一 00:00",
    ),
];

#[test]
fn sentences_in_both_languages() {
    let mut wrong = Vec::new();
    for &(text, english, chinese) in SENTENCES {
        let schedule = schedule(text, "Asia/Shanghai");
        for (language, expected) in [
            (Language::En, format!("{english} (Asia/Shanghai)")),
            (Language::ZhHans, format!("{chinese}（Asia/Shanghai）")),
        ] {
            let found = schedule.describe(language);
            if found != expected {
                wrong.push(format!("{text}\n  said     {found}\n  expected {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sentences_of_the_other_kinds() {
    for (text, english, chinese) in [
        ("@every 250ms", "Every 250 milliseconds", "每 250 毫秒"),
        (
            "@every 1h30m",
            "Every 1 hour 30 minutes",
            "每 1 小时 30 分钟",
        ),
        ("@every 1s", "Every second", "每秒"),
        ("@every 1h", "Every hour", "每小时"),
        ("@every 2d", "Every 2 days", "每 2 天"),
        (
            "@at 2026-12-01T02:30",
            "Once on 2026-12-01 at 02:30 (Asia/Shanghai)",
            "仅一次：2026-12-01 02:30（Asia/Shanghai）",
        ),
        (
            "@at 2026-12-01T02:30:15.25",
            "Once on 2026-12-01 at 02:30:15.250 (Asia/Shanghai)",
            "仅一次：2026-12-01 02:30:15.250（Asia/Shanghai）",
        ),
        (
            "@reboot",
            "Once after every boot of the host",
            "主机每次启动后运行一次",
        ),
    ] {
        let schedule = schedule(text, "Asia/Shanghai");
        assert_eq!(schedule.describe(Language::En), english, "{text}");
        assert_eq!(schedule.describe(Language::ZhHans), chinese, "{text}");
    }
}

#[test]
fn warnings_about_what_is_easy_to_get_wrong() {
    let codes = |text: &str, zone: &str| {
        schedule(text, zone)
            .warnings()
            .into_iter()
            .map(Warning::code)
            .collect::<Vec<_>>()
    };
    let table: &[(&str, &str, &[&str])] = &[
        ("30 2 * * *", "Asia/Shanghai", &[]),
        ("*/5 * * * *", "America/New_York", &[]),
        ("0 * * * *", "America/New_York", &[]),
        ("0 0 13 * 5", "UTC", &["either_day_field"]),
        ("0 0 13 * +5", "UTC", &["both_day_fields"]),
        ("0 0 */2 * 1", "UTC", &["both_day_fields", "uneven_step"]),
        ("0 0 31 * *", "UTC", &["day_missing_in_some_months"]),
        ("0 0 30W * *", "UTC", &["day_missing_in_some_months"]),
        ("0 0 31 1,3,5 *", "UTC", &[]),
        ("0 0 25-31 * *", "UTC", &[]),
        ("0 0 L * *", "UTC", &[]),
        ("0 0 29 2 *", "UTC", &["leap_years_only"]),
        ("0 0 * * 1#5", "UTC", &["fifth_weekday"]),
        ("*/7 * * * *", "UTC", &["uneven_step"]),
        ("0 */5 * * *", "UTC", &["uneven_step"]),
        ("* 2 * * *", "UTC", &["every_unit_of_one"]),
        ("* 30 2 * * *", "UTC", &["every_unit_of_one"]),
        ("30 2 * * *", "America/New_York", &["gap_moves"]),
        ("30 1 * * *", "America/New_York", &["overlap_runs_once"]),
        (
            "30 1 * * *",
            "Europe/London",
            &["gap_moves", "overlap_runs_once"],
        ),
        (
            "*/10 1-2 * * *",
            "America/New_York",
            &["gap_skips", "overlap_runs_twice"],
        ),
        ("30 2 1 1 *", "America/New_York", &[]),
        ("0 30 2 * * * 2026", "America/New_York", &["gap_moves"]),
        ("30 2 * * *", "Asia/Tokyo", &[]),
        ("@every 1h", "America/New_York", &[]),
    ];
    for (text, zone, expected) in table {
        assert_eq!(codes(text, zone), *expected, "{text} in {zone}");
    }
    let skip = DstPolicy {
        gap: Some(GapPolicy::Skip),
        ..DstPolicy::default()
    };
    assert_eq!(
        schedule("30 2 * * *", "America/New_York")
            .with_dst_policy(skip)
            .warnings(),
        [Warning::GapSkips]
    );
}

#[test]
fn warnings_have_words_in_both_languages() {
    for text in [
        "0 0 31 */2 5",
        "* 2 29 2 +1#5",
        "*/7 */5 * * * *",
        "30 1,2 * * *",
    ] {
        for warning in schedule(text, "Europe/London").warnings() {
            assert!(warning.text(Language::En).ends_with('.'));
            assert!(warning.text(Language::ZhHans).ends_with('。'));
        }
    }
}

#[test]
fn notes_on_days_when_clocks_change() {
    let note = |text: &str, zone: &str, at: &str| {
        schedule(text, zone)
            .dst_notes(instant(at))
            .map(|note| (note.change, note.effect, note.at.to_string()))
    };
    let gap = || "2026-03-08T07:00:00Z".to_owned();
    let overlap = || "2026-11-01T06:00:00Z".to_owned();
    let zone = "America/New_York";
    assert_eq!(
        note("30 2 * * *", zone, "2026-03-08T07:00:00Z"),
        Some((DstChange::Gap, DstEffect::MovedOutOfGap, gap()))
    );
    assert_eq!(
        note("0 3 * * *", zone, "2026-03-08T07:00:00Z"),
        Some((DstChange::Gap, DstEffect::None, gap()))
    );
    assert_eq!(
        note("0 0 * * *", zone, "2026-03-08T05:00:00Z"),
        Some((DstChange::Gap, DstEffect::None, gap()))
    );
    assert_eq!(note("30 2 * * *", zone, "2026-03-09T06:30:00Z"), None);
    assert_eq!(
        note("30 1 * * *", zone, "2026-11-01T05:30:00Z"),
        Some((DstChange::Overlap, DstEffect::FirstPass, overlap()))
    );
    assert_eq!(
        note("*/30 * * * *", zone, "2026-11-01T06:30:00Z"),
        Some((DstChange::Overlap, DstEffect::SecondPass, overlap()))
    );
    assert_eq!(
        note("0 12 * * *", zone, "2026-11-01T17:00:00Z"),
        Some((DstChange::Overlap, DstEffect::None, overlap()))
    );
    assert_eq!(note("0 12 * * *", "UTC", "2026-11-01T12:00:00Z"), None);
    assert_eq!(note("@every 1h", zone, "2026-11-01T12:00:00Z"), None);
    // 2026-09-06 has no midnight in Chile, so the day's first run stands at 01:00.
    let (_, effect, _) = note("0 0 * * *", "America/Santiago", "2026-09-06T04:00:00Z").unwrap();
    assert_eq!(effect, DstEffect::MovedOutOfGap);
    let note = schedule("0 0 * * *", zone)
        .dst_notes(instant("2026-03-08T05:00:00Z"))
        .unwrap();
    assert_eq!(
        (note.offset_before.seconds(), note.offset_after.seconds()),
        (-5 * 3_600, -4 * 3_600)
    );
}
