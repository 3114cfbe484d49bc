//! `strftime_now`: today's date in the ways that templates write it.

use super::budget::failure;
use minijinja::Error;

const DAY_SECONDS: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// A day: year, month from 1, day from 1, and its number in the year from 1.
fn civil(days: i64) -> [i64; 4] {
    // Eras of 400 years from a first of March on, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = before.get(month as usize - 1).copied().unwrap_or(0);
    [year, month, day, before + day + i64::from(is_leap && month > 2)]
}

/// The time by a format of C's `strftime`; `now` is seconds since 1970 by the clock on the wall.
pub(super) fn format(format: &str, now: i64) -> Result<String, Error> {
    let (days, seconds) = (now.div_euclid(DAY_SECONDS), now.rem_euclid(DAY_SECONDS));
    let [year, month, day, of_year] = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let month_name = MONTHS.get(month as usize - 1).copied().unwrap_or("");
    let day_name = DAYS.get(days.rem_euclid(7) as usize).copied().unwrap_or("");
    let short = |name: &'static str| name.get(..3).unwrap_or(name).to_owned();
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour_12 = (hour + 11) % 12 + 1;
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut code = characters.next();
        let pads = code != Some('-');
        if !pads {
            code = characters.next();
        }
        let number = |number: i64| match pads {
            true => format!("{number:02}"),
            false => number.to_string(),
        };
        out += &match code {
            Some('Y') => year.to_string(),
            Some('y') => number(year.rem_euclid(100)),
            Some('m') => number(month),
            Some('d') => number(day),
            Some('e') => format!("{day:2}"),
            Some('j') if pads => format!("{of_year:03}"),
            Some('j') => of_year.to_string(),
            Some('H') => number(hour),
            Some('I') => number(hour_12),
            Some('M') => number(minute),
            Some('S') => number(second),
            Some('p') => half.to_owned(),
            Some('B') => month_name.to_owned(),
            Some('b' | 'h') => short(month_name),
            Some('A') => day_name.to_owned(),
            Some('a') => short(day_name),
            Some('F') => format!("{year}-{month:02}-{day:02}"),
            Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('R') => format!("{hour:02}:{minute:02}"),
            Some('D') => format!("{month:02}/{day:02}/{:02}", year.rem_euclid(100)),
            // The clock on the wall has no name.
            Some('Z' | 'z') => String::new(),
            Some('%') => "%".to_owned(),
            _ => return Err(failure(format!("the template writes a date by '{format}'"))),
        };
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn dates_are_pythons() {
        // date -u -d @SECONDS +FORMAT
        let cases = [
            (0, "%A, %d %B %Y %H:%M:%S", "Thursday, 01 January 1970 00:00:00"),
            (951_782_399, "%Y-%m-%d %j %a", "2000-02-28 059 Mon"),
            (951_782_400, "%F %-j %b", "2000-02-29 60 Feb"),
            (1_735_689_599, "%d %b %Y, %I:%M %p", "31 Dec 2024, 11:59 PM"),
            (4_107_542_400, "%-d/%-m/%y %e", "1/3/00  1"),
            (-1, "%F %T", "1969-12-31 23:59:59"),
        ];
        for (seconds, by, text) in cases {
            assert_eq!(format(by, seconds).ok().as_deref(), Some(text), "{seconds}");
        }
        assert!(format("%Q", 0).is_err());
    }
}
