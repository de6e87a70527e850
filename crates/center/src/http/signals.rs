//! Names of signals.

/// Names of the signals 1 to 31 on Linux (`signal(7)`), without `SIG`.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The name of a signal, e.g. `KILL`; its number if it has none.
pub(super) fn signal_name(number: i32) -> String {
    let name = number
        .checked_sub(1)
        .and_then(|place| usize::try_from(place).ok())
        .and_then(|place| NAMES.get(place));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use cronfleet_core::job::StopSignal;

    use super::*;

    #[test]
    fn names_agree_with_the_signals_that_stop_processes() {
        for signal in StopSignal::ALL {
            assert_eq!(signal_name(signal.number()), signal.word());
        }
        assert_eq!([0, 11, 31, 34].map(signal_name), ["0", "SEGV", "SYS", "34"]);
    }
}
