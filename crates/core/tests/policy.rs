//! Policies: every rule with a case that it denies and one that it lets pass, and what holds for all of them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cronfleet_core::policy::{
    Decision, Directory, Distrust, ExecMode, Group, Pattern, Policy, Program, Request, Rule, User,
    decide, judge,
};
use proptest::prelude::*;

fn user(name: &str, uid: u32, groups: &[&str]) -> User {
    let groups = (uid..).zip(groups);
    User {
        name: name.to_owned(),
        uid,
        groups: groups
            .map(|(gid, name)| Group {
                gid,
                name: Some((*name).to_owned()),
            })
            .collect(),
    }
}

fn file(path: &str) -> Program {
    Program::File {
        real: PathBuf::from(path),
        distrust: None,
    }
}

fn request() -> Request {
    Request {
        user: user("app", 1_000, &["app", "web"]),
        program: file("/opt/app/bin/tool"),
        is_script: false,
        directory: Directory::Real(PathBuf::from("/opt/app/data")),
        environment: vec!["APP_MODE".to_owned()],
        gains_privileges: false,
    }
}

/// A policy in which every rule has something to say.
fn strict() -> Policy {
    let mut policy = Policy::built_in();
    policy.run_as.allow = vec![
        Pattern::new("app"),
        Pattern::new("svc-*"),
        Pattern::new("root"),
    ];
    policy.run_as.deny = vec![Pattern::new("svc-old")];
    policy.exec.mode = ExecMode::Dirs;
    policy.exec.dirs = vec![PathBuf::from("/opt/app/bin")];
    policy.exec.exact = vec![
        PathBuf::from("/usr/bin/rsync"),
        PathBuf::from("/usr/bin/dash"),
    ];
    policy.exec.are_shells_allowed = false;
    policy.exec.are_scripts_allowed = false;
    policy.directory_roots = Some(vec![PathBuf::from("/opt/app")]);
    policy.environment_allow = Some(vec![Pattern::new("APP_*"), Pattern::new("TZ")]);
    policy
}

fn denied_by(policy: &Policy, request: &Request) -> Option<Rule> {
    match decide(policy, request) {
        Decision::Allowed => None,
        Decision::Denied(denial) => {
            assert!(denial.detail.starts_with(denial.rule.key()), "{denial:?}");
            Some(denial.rule)
        }
    }
}

#[test]
fn every_rule_denies_what_it_should_and_nothing_else() {
    type Change = fn(&mut Request);
    let cases: [(&str, Change, Option<Rule>); 25] = [
        ("as it is", |_| {}, None),
        ("another user", |r| r.user = user("svc-a", 2_000, &[]), None),
        (
            "root",
            |r| r.user = user("root", 0, &["root"]),
            Some(Rule::DenyRoot),
        ),
        (
            "uid 0 by another name",
            |r| r.user = user("svc-a", 0, &[]),
            Some(Rule::DenyRoot),
        ),
        (
            "a denied user",
            |r| r.user = user("svc-old", 2_000, &[]),
            Some(Rule::DenyUser),
        ),
        (
            "a stranger",
            |r| r.user = user("bob", 2_000, &[]),
            Some(Rule::AllowUser),
        ),
        (
            "nearly a name",
            |r| r.user = user("app2", 2_000, &[]),
            Some(Rule::AllowUser),
        ),
        (
            "a system account",
            |r| r.user = user("svc-a", 999, &[]),
            Some(Rule::MinUid),
        ),
        (
            "a member of docker",
            |r| r.user = user("app", 1_000, &["app", "docker"]),
            Some(Rule::DenyGroups),
        ),
        ("a script", |r| r.is_script = true, Some(Rule::Scripts)),
        (
            "a listed file",
            |r| r.program = file("/usr/bin/rsync"),
            None,
        ),
        (
            "another file",
            |r| r.program = file("/usr/bin/wget"),
            Some(Rule::ExecMode),
        ),
        (
            "a neighbour of the directory",
            |r| r.program = file("/opt/app/bin2/tool"),
            Some(Rule::ExecMode),
        ),
        (
            "deeper in the directory",
            |r| r.program = file("/opt/app/bin/sub/tool"),
            None,
        ),
        (
            "nobody looked",
            |r| r.program = Program::Unseen,
            Some(Rule::ExecMode),
        ),
        (
            "more privileges",
            |r| r.gains_privileges = true,
            Some(Rule::Privileges),
        ),
        ("no such program", |r| r.program = Program::Missing, None),
        (
            "a file that others can change",
            |r| {
                r.program = Program::File {
                    real: PathBuf::from("/opt/app/bin/tool"),
                    distrust: Some(Distrust::Writable {
                        path: PathBuf::from("/opt/app/bin"),
                    }),
                }
            },
            Some(Rule::Owners),
        ),
        (
            "a shell, although listed",
            |r| r.program = file("/usr/bin/dash"),
            Some(Rule::Shells),
        ),
        (
            "another directory",
            |r| r.directory = Directory::Real("/etc".into()),
            Some(Rule::Directory),
        ),
        (
            "an unclear directory",
            |r| r.directory = Directory::Unseen,
            Some(Rule::Directory),
        ),
        (
            "no such directory",
            |r| r.directory = Directory::Missing,
            None,
        ),
        (
            "another variable",
            |r| r.environment.push("LANG".to_owned()),
            Some(Rule::Environment),
        ),
        (
            "the loader's variable",
            |r| r.environment = vec!["LD_PRELOAD".to_owned()],
            Some(Rule::Environment),
        ),
        (
            "nothing in the environment",
            |r| r.environment.clear(),
            None,
        ),
    ];
    for (what, change, expected) in cases {
        let mut request = request();
        change(&mut request);
        assert_eq!(denied_by(&strict(), &request), expected, "{what}");
    }
}

#[test]
fn a_variable_that_steers_programs_has_to_be_named_in_full() {
    let mut policy = strict();
    let mut request = request();
    request.environment = vec!["LD_PRELOAD".to_owned()];
    for (allow, expected) in [
        (None, Some(Rule::Steering)),
        (Some(vec!["*"]), Some(Rule::Steering)),
        (Some(vec!["LD_*"]), Some(Rule::Steering)),
        (Some(vec!["LD_PRELOAD"]), None),
    ] {
        policy.environment_allow = allow.map(|names| names.into_iter().map(Pattern::new).collect());
        assert_eq!(denied_by(&policy, &request), expected);
    }
    policy.exec.mode = ExecMode::Any;
    policy.environment_allow = None;
    assert_eq!(
        denied_by(&policy, &request),
        None,
        "where any program may run it bounds nothing"
    );
}

#[test]
fn the_built_in_policy_denies_root_and_who_is_close_to_it() {
    let built_in = Policy::built_in();
    let of = |user| Request {
        user,
        program: Program::Unseen,
        directory: Directory::Unseen,
        ..request()
    };
    assert_eq!(
        denied_by(&built_in, &of(user("root", 0, &["root"]))),
        Some(Rule::DenyRoot)
    );
    assert_eq!(
        denied_by(&built_in, &of(user("www-data", 33, &["www-data"]))),
        Some(Rule::MinUid)
    );
    assert_eq!(
        denied_by(&built_in, &of(user("ann", 1_000, &["ann", "sudo"]))),
        Some(Rule::DenyGroups)
    );
    assert_eq!(
        denied_by(&built_in, &of(user("app", 1_000, &["app"]))),
        None
    );
    let own = Policy::built_in_for("ann");
    assert_eq!(
        denied_by(&own, &of(user("ann", 500, &["ann", "sudo"]))),
        None
    );
    assert_eq!(
        denied_by(&own, &of(user("app", 1_000, &["app"]))),
        Some(Rule::AllowUser)
    );
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("root".to_owned()), "[a-z*-]{0,6}", ".{0,6}"]
}

fn path() -> impl Strategy<Value = PathBuf> {
    "(/[a-c]{1,2}){1,3}".prop_map(PathBuf::from)
}

prop_compose! {
    fn any_policy()(
        allow in prop::collection::vec(name(), 0..4),
        deny in prop::collection::vec(name(), 0..2),
        groups in prop::collection::vec(name(), 0..3),
        min_uid in 0_u32..2_000,
        is_root_denied: bool,
        mode in prop::sample::select(ExecMode::ALL.to_vec()),
        dirs in prop::collection::vec(path(), 0..3),
        exact in prop::collection::vec(path(), 0..3),
        (are_shells_allowed, are_scripts_allowed, may_gain_privileges) in any::<(bool, bool, bool)>(),
        roots in prop::option::of(prop::collection::vec(path(), 0..3)),
        names in prop::option::of(prop::collection::vec(name(), 0..3)),
    ) -> Policy {
        let patterns = |names: Vec<String>| names.into_iter().map(Pattern::new).collect::<Vec<_>>();
        let mut policy = Policy::built_in();
        policy.run_as.allow = patterns(allow);
        policy.run_as.deny = patterns(deny);
        policy.run_as.deny_groups = groups;
        policy.run_as.min_uid = min_uid;
        policy.run_as.is_root_denied = is_root_denied;
        policy.exec.mode = mode;
        policy.exec.dirs = dirs;
        policy.exec.exact = exact;
        policy.exec.are_shells_allowed = are_shells_allowed;
        policy.exec.are_scripts_allowed = are_scripts_allowed;
        policy.exec.may_gain_privileges = may_gain_privileges;
        policy.directory_roots = roots;
        policy.environment_allow = names.map(patterns);
        policy
    }
}

prop_compose! {
    fn any_request()(
        login in name(),
        uid in prop_oneof![Just(0_u32), 0_u32..3_000, any::<u32>()],
        groups in prop::collection::vec(name(), 0..3),
        program in prop_oneof![
            Just(Program::Unseen),
            Just(Program::Missing),
            path().prop_map(|real| Program::File { real, distrust: None }),
            path().prop_map(|real| Program::File { distrust: Some(Distrust::Writable { path: real.clone() }), real }),
        ],
        is_script: bool,
        directory in prop_oneof![
            Just(Directory::Unseen),
            Just(Directory::Missing),
            path().prop_map(Directory::Real),
        ],
        environment in prop::collection::vec(name(), 0..3),
        gains_privileges: bool,
    ) -> Request {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let user = user(&login, uid.min(u32::MAX - 10), &groups);
        Request { user, program, is_script, directory, environment, gains_privileges }
    }
}

proptest! {
    #[test]
    fn deciding_is_judging(policy in any_policy(), request in any_request()) {
        let findings = judge(&policy, &request);
        let rules: Vec<Rule> = findings.iter().map(|finding| finding.rule).collect();
        prop_assert_eq!(rules, Rule::ALL.to_vec());
        let first = findings.iter().find(|finding| finding.is_denied);
        prop_assert_eq!(denied_by(&policy, &request), first.map(|finding| finding.rule));
    }

    #[test]
    fn root_never_passes_where_it_is_denied(policy in any_policy(), mut request in any_request()) {
        request.user.uid = 0;
        prop_assert!(!policy.run_as.is_root_denied || denied_by(&policy, &request) == Some(Rule::DenyRoot));
    }

    #[test]
    fn what_was_not_looked_at_never_passes_a_bound(policy in any_policy(), mut request in any_request()) {
        request.program = Program::Unseen;
        prop_assert!(!policy.bounds_programs() || denied_by(&policy, &request).is_some());
    }

    #[test]
    fn allowing_less_allows_no_more(policy in any_policy(), request in any_request()) {
        let mut less = policy.clone();
        less.run_as.allow.pop();
        less.exec.dirs.pop();
        less.exec.exact.pop();
        less.exec.are_shells_allowed = false;
        less.run_as.is_root_denied = true;
        less.directory_roots.get_or_insert_default().pop();
        prop_assert!(denied_by(&less, &request).is_some() || denied_by(&policy, &request).is_none());
    }
}

#[test]
fn keys_of_rules_are_unique() {
    let keys: BTreeSet<&str> = Rule::ALL.into_iter().map(Rule::key).collect();
    assert_eq!(keys.len(), Rule::ALL.len());
}
