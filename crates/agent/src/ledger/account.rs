//! What a ledger says about runs, read beside the agent that writes it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use cronfleet_core::id::RunId;
use cronfleet_core::order::Claim;
use cronfleet_core::record::Record;
use cronfleet_core::run::{Outcome, Reason, outcome_of};
use jiff::Timestamp;

use super::entry::Entry;
use super::file::{FILE, LedgerError};
use super::replay::{Head, read_entries, read_head};

/// What the ledger of an agent says about one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunAccount {
    /// Its due instant, while its order is kept.
    pub due: Option<Timestamp>,
    /// When its order was accepted, on the center's clock; kept as long as the order.
    pub accepted_at: Option<Timestamp>,
    /// What became of it; `None` while something may still happen.
    pub claim: Option<Claim>,
    /// Whether a center has stored that.
    pub is_acknowledged: bool,
}

impl RunAccount {
    /// What became of the run, in the words of its record; `None` while something may still happen.
    pub fn outcome(&self) -> Option<(Outcome, Option<Reason>)> {
        match self.claim.as_ref()? {
            Claim::Refused { reason, .. } | Claim::Lost { reason, .. } => {
                Some((reason.outcome(), Some(*reason)))
            }
            Claim::Ended { end, .. } => Some(outcome_of(end)),
            Claim::Accepted | Claim::Running(_) => None,
        }
    }
}

/// Reads what the ledger in a data directory says about every run that it still knows: those that are not over, and those that could
/// start up to five minutes ago. The agent may go on writing meanwhile; an agent that never ran knows nothing.
///
/// # Errors
/// [`LedgerError::File`], and [`LedgerError::Version`] if another version of the agent wrote it.
pub fn read_accounts(data_dir: &Path) -> Result<BTreeMap<RunId, RunAccount>, LedgerError> {
    let path = data_dir.join(FILE);
    let in_file = |source| LedgerError::File {
        path: path.clone(),
        source,
    };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(in_file(error)),
    };
    match read_head(&mut file).map_err(in_file)? {
        Head::Good => {}
        Head::Version(found) => return Err(LedgerError::Version { path, found }),
        Head::Foreign => return Ok(BTreeMap::new()),
    }
    let (entries, _) = read_entries(&mut file).map_err(in_file)?;
    Ok(accounts(entries))
}

fn accounts(entries: Vec<Entry>) -> BTreeMap<RunId, RunAccount> {
    let mut accounts: BTreeMap<RunId, RunAccount> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Book(Record::Accepted { order, at }) => {
                let account = accounts.entry(order.run).or_default();
                (account.due, account.accepted_at) = (Some(order.due), Some(at));
            }
            Entry::Book(Record::Settled { run, claim, .. }) => {
                let account = accounts.entry(run).or_default();
                (account.claim, account.is_acknowledged) = (Some(claim), false);
            }
            Entry::Book(Record::Acked { run }) => {
                accounts.entry(run).or_default().is_acknowledged = true;
            }
            _ => {}
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;

    fn settled(run: RunId, claim: Claim) -> Entry {
        Entry::Book(Record::Settled {
            run,
            not_after: Timestamp::UNIX_EPOCH,
            claim,
        })
    }

    #[test]
    fn an_account_is_read_while_the_agent_writes_on() {
        let dir = tempfile::TempDir::new().unwrap();
        assert_eq!(read_accounts(dir.path()).unwrap(), BTreeMap::new());
        let (mut ledger, _) = Ledger::open(dir.path(), false, 1 << 20).unwrap();
        let (told, untold) = (RunId::from_u128(1), RunId::from_u128(2));
        let refused = Claim::Refused {
            reason: Reason::Overlap,
            detail: None,
        };
        let lost = Claim::Lost {
            reason: Reason::ExitUnknown,
            start: None,
        };
        let entries = [
            settled(told, lost),
            settled(told, refused.clone()),
            Entry::Book(Record::Acked { run: told }),
            settled(untold, refused.clone()),
        ];
        ledger.append(&entries).unwrap();
        let known = |is_acknowledged| RunAccount {
            claim: Some(refused.clone()),
            is_acknowledged,
            ..RunAccount::default()
        };
        assert_eq!(
            read_accounts(dir.path()).unwrap(),
            BTreeMap::from([(told, known(true)), (untold, known(false))])
        );
    }
}
