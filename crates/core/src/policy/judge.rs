//! Applying a policy.

use std::path::{Path, PathBuf};

use super::pattern::Pattern;
use super::request::{Directory, Distrust, Program, Request, User};
use super::rules::{ExecMode, ExecRules, Policy, RunAsRules};

/// File names of programs that run whatever text they are given.
const SHELLS: [&str; 17] = [
    "sh", "ash", "bash", "dash", "rbash", "zsh", "ksh", "ksh93", "mksh", "oksh", "yash", "csh",
    "tcsh", "fish", "elvish", "busybox", "pwsh",
];

/// Variables by which somebody who does not choose the program chooses what it runs all the same.
const STEERING: [&str; 22] = [
    "LD_*",
    "BASH_ENV",
    "ENV",
    "IFS",
    "PATH",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PYTHON*",
    "PERL5*",
    "PERLLIB",
    "RUBY*",
    "NODE_*",
    "GIT_*",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "PHPRC",
    "LUA_*",
    "EDITOR",
    "PAGER",
];

/// A rule of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `run_as.deny_root`.
    DenyRoot,
    /// `run_as.deny`.
    DenyUser,
    /// `run_as.allow`.
    AllowUser,
    /// `run_as.min_uid`.
    MinUid,
    /// `run_as.deny_groups`.
    DenyGroups,
    /// `exec.scripts`.
    Scripts,
    /// `exec.mode`.
    ExecMode,
    /// `exec.owners`.
    Owners,
    /// `exec.shells`.
    Shells,
    /// `exec.privileges`.
    Privileges,
    /// `directory.roots`.
    Directory,
    /// `environment.allow`.
    Environment,
    /// `environment.steering`.
    Steering,
}

impl Rule {
    /// All rules, in the order in which they are looked at.
    pub const ALL: [Self; 13] = [
        Self::DenyRoot,
        Self::DenyUser,
        Self::AllowUser,
        Self::MinUid,
        Self::DenyGroups,
        Self::Scripts,
        Self::ExecMode,
        Self::Owners,
        Self::Shells,
        Self::Privileges,
        Self::Directory,
        Self::Environment,
        Self::Steering,
    ];

    /// Its stable name: the key in the policy file, where it has one.
    pub const fn key(self) -> &'static str {
        match self {
            Self::DenyRoot => "run_as.deny_root",
            Self::DenyUser => "run_as.deny",
            Self::AllowUser => "run_as.allow",
            Self::MinUid => "run_as.min_uid",
            Self::DenyGroups => "run_as.deny_groups",
            Self::Scripts => "exec.scripts",
            Self::ExecMode => "exec.mode",
            Self::Owners => "exec.owners",
            Self::Shells => "exec.shells",
            Self::Privileges => "exec.privileges",
            Self::Directory => "directory.roots",
            Self::Environment => "environment.allow",
            Self::Steering => "environment.steering",
        }
    }
}

/// What one rule says about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Whether it denies.
    pub is_denied: bool,
    /// Why, for people.
    pub detail: String,
}

/// Why a start is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The first rule that denies.
    pub rule: Rule,
    /// Why, for people; begins with the rule's key.
    pub detail: String,
}

/// Whether a start may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// No rule denies it.
    Allowed,
    /// A rule denies it.
    Denied(Denial),
}

/// Decides about a start. Total: every pair has an answer, and nothing but the two values counts.
pub fn decide(policy: &Policy, request: &Request) -> Decision {
    let denied = Rule::ALL.into_iter().find_map(|rule| {
        let detail = apply(rule, policy, request).err()?;
        Some(Denial {
            rule,
            detail: format!("{}: {detail}", rule.key()),
        })
    });
    denied.map_or(Decision::Allowed, Decision::Denied)
}

/// What each rule says about a start, in the order of [`Rule::ALL`]. [`decide`] denies if and only if one of them does.
pub fn judge(policy: &Policy, request: &Request) -> Vec<Finding> {
    let find = |rule| {
        let (is_denied, detail) = match apply(rule, policy, request) {
            Ok(detail) => (false, detail),
            Err(detail) => (true, detail),
        };
        Finding {
            rule,
            is_denied,
            detail,
        }
    };
    Rule::ALL.into_iter().map(find).collect()
}

/// One rule; `Err` denies. Both carry words for people.
fn apply(rule: Rule, policy: &Policy, request: &Request) -> Result<String, String> {
    let (run_as, exec, user) = (&policy.run_as, &policy.exec, &request.user);
    match rule {
        Rule::DenyRoot => deny_root(run_as, user),
        Rule::DenyUser => deny_user(run_as, user),
        Rule::AllowUser => allow_user(run_as, user),
        Rule::MinUid => min_uid(run_as, user),
        Rule::DenyGroups => deny_groups(run_as, user),
        Rule::Scripts => scripts(exec, request),
        Rule::ExecMode => exec_mode(exec, &request.program),
        Rule::Owners => owners(exec, &request.program),
        Rule::Shells => shells(exec, &request.program),
        Rule::Privileges => privileges(exec, request),
        Rule::Directory => directory(policy.directory_roots.as_deref(), &request.directory),
        Rule::Environment => environment(policy.environment_allow.as_deref(), request),
        Rule::Steering => steering(policy, request),
    }
}

fn deny_root(rules: &RunAsRules, user: &User) -> Result<String, String> {
    match (rules.is_root_denied, user.uid) {
        (true, 0) => Err(format!("{} has uid 0", user.name)),
        (true, uid) => Ok(format!("{} has uid {uid}", user.name)),
        (false, _) => Ok("root is not ruled out".to_owned()),
    }
}

fn deny_user(rules: &RunAsRules, user: &User) -> Result<String, String> {
    match find(&rules.deny, &user.name) {
        Some(pattern) => Err(format!("{} matches {pattern}", user.name)),
        None => Ok(format!(
            "{} matches none of {}",
            user.name,
            list(&rules.deny)
        )),
    }
}

fn allow_user(rules: &RunAsRules, user: &User) -> Result<String, String> {
    match find(&rules.allow, &user.name) {
        Some(pattern) => Ok(format!("{} matches {pattern}", user.name)),
        None => Err(format!(
            "{} matches none of {}",
            user.name,
            list(&rules.allow)
        )),
    }
}

fn min_uid(rules: &RunAsRules, user: &User) -> Result<String, String> {
    let (name, uid, least) = (&user.name, user.uid, rules.min_uid);
    if uid < least {
        return Err(format!("{name} has uid {uid}, below {least}"));
    }
    Ok(format!("{name} has uid {uid}, at least {least}"))
}

fn deny_groups(rules: &RunAsRules, user: &User) -> Result<String, String> {
    let mut names = user.groups.iter().filter_map(|group| group.name.as_ref());
    match names.find(|name| rules.deny_groups.contains(name)) {
        Some(group) => Err(format!("{} is in group {group}", user.name)),
        None => Ok(format!(
            "{} is in none of {}",
            user.name,
            list(&rules.deny_groups)
        )),
    }
}

fn scripts(exec: &ExecRules, request: &Request) -> Result<String, String> {
    match (request.is_script, exec.are_scripts_allowed) {
        (false, _) => Ok("a program, no script text".to_owned()),
        (true, true) => Ok("script texts are allowed".to_owned()),
        (true, false) => Err("script texts may not run here".to_owned()),
    }
}

fn exec_mode(exec: &ExecRules, program: &Program) -> Result<String, String> {
    let real = match (exec.mode, program) {
        (ExecMode::Any, _) => return Ok("any: whatever the user may execute".to_owned()),
        (_, Program::Missing) => return Ok(MISSING.to_owned()),
        // Nobody looked although a rule needs it: no is the only safe answer.
        (_, Program::Unseen) => return Err("the program was not looked at".to_owned()),
        (_, Program::File { real, .. }) => real,
    };
    let shown = real.display();
    if exec.exact.contains(real) {
        return Ok(format!("{shown} is listed in exec.exact"));
    }
    let dir = match exec.mode {
        ExecMode::Dirs => exec.dirs.iter().find(|dir| real.starts_with(dir)),
        ExecMode::Any | ExecMode::Exact => None,
    };
    match (dir, exec.mode) {
        (Some(dir), _) => Ok(format!("{shown} is below {}", dir.display())),
        (None, ExecMode::Dirs) => Err(format!(
            "{shown} is neither below {} nor one of {}",
            list_paths(&exec.dirs),
            list_paths(&exec.exact)
        )),
        (None, _) => Err(format!("{shown} is not one of {}", list_paths(&exec.exact))),
    }
}

const MISSING: &str = "there is no such program";

fn owners(exec: &ExecRules, program: &Program) -> Result<String, String> {
    match (exec.mode, program) {
        (ExecMode::Any, _) => Ok("not looked at while exec.mode is any".to_owned()),
        (_, Program::Missing) => Ok(MISSING.to_owned()),
        (_, Program::Unseen) => Err("the program was not looked at".to_owned()),
        (_, Program::File { distrust: None, .. }) => {
            Ok("nobody else may change the file or a directory above it".to_owned())
        }
        (
            _,
            Program::File {
                distrust: Some(why),
                ..
            },
        ) => Err(match why {
            Distrust::Owner { path, uid } => {
                format!(
                    "{} belongs to uid {uid}, who is not one of exec.owners",
                    path.display()
                )
            }
            Distrust::Writable { path } => {
                format!("{} can be changed by group or others", path.display())
            }
            Distrust::Unclear { path, problem } => {
                format!("{} cannot be trusted: {problem}", path.display())
            }
        }),
    }
}

fn shells(exec: &ExecRules, program: &Program) -> Result<String, String> {
    if exec.are_shells_allowed {
        return Ok("shells are allowed: the bound is the user".to_owned());
    }
    match program {
        Program::Missing => Ok(MISSING.to_owned()),
        Program::Unseen => Err("the program was not looked at".to_owned()),
        Program::File { real, .. } => {
            let name = real.file_name().map(|name| name.to_string_lossy());
            match name.filter(|name| SHELLS.contains(&name.as_ref())) {
                Some(_) => Err(format!("{} is a shell", real.display())),
                None => Ok(format!("{} is no well-known shell", real.display())),
            }
        }
    }
}

fn privileges(exec: &ExecRules, request: &Request) -> Result<String, String> {
    match (request.gains_privileges, exec.may_gain_privileges) {
        (false, _) => Ok("it gains no privileges".to_owned()),
        (true, true) => Ok("programs such as sudo may give it more privileges".to_owned()),
        (true, false) => Err("programs such as sudo may give no job more privileges".to_owned()),
    }
}

fn directory(roots: Option<&[PathBuf]>, directory: &Directory) -> Result<String, String> {
    let Some(roots) = roots else {
        return Ok("anywhere".to_owned());
    };
    match directory {
        Directory::Missing => Ok("there is no such directory".to_owned()),
        Directory::Unseen => Err("the directory was not looked at".to_owned()),
        Directory::Real(real) => match roots.iter().find(|root| real.starts_with(root)) {
            Some(root) => Ok(format!("{} is in {}", real.display(), root.display())),
            None => Err(format!(
                "{} is in none of {}",
                real.display(),
                list_paths(roots)
            )),
        },
    }
}

fn environment(allow: Option<&[Pattern]>, request: &Request) -> Result<String, String> {
    let Some(allow) = allow else {
        return Ok("any variable".to_owned());
    };
    match request
        .environment
        .iter()
        .find(|name| find(allow, name).is_none())
    {
        Some(name) => Err(format!("{name} matches none of {}", list(allow))),
        None => Ok(format!(
            "{} variables, all allowed",
            request.environment.len()
        )),
    }
}

fn steering(policy: &Policy, request: &Request) -> Result<String, String> {
    if !policy.bounds_programs() {
        return Ok("not looked at while exec.mode is any".to_owned());
    }
    let is_named = |name: &str| {
        let named = policy.environment_allow.iter().flatten();
        named
            .filter(|pattern| pattern.is_literal())
            .any(|pattern| pattern.matches(name))
    };
    let steers = |name: &str| {
        STEERING
            .iter()
            .any(|each| Pattern::new(*each).matches(name))
    };
    match request
        .environment
        .iter()
        .find(|name| steers(name) && !is_named(name))
    {
        Some(name) => Err(format!(
            "{name} makes programs run other code; environment.allow has to name it in full"
        )),
        None => Ok("no variable that makes programs run other code".to_owned()),
    }
}

fn find<'a>(patterns: &'a [Pattern], name: &str) -> Option<&'a Pattern> {
    patterns.iter().find(|pattern| pattern.matches(name))
}

/// A list for people, cut where it gets long.
fn list(items: &[impl ToString]) -> String {
    const SHOWN_MAX: usize = 8;
    let mut words: Vec<String> = items
        .iter()
        .take(SHOWN_MAX)
        .map(ToString::to_string)
        .collect();
    if items.len() > SHOWN_MAX {
        words.push("…".to_owned());
    }
    format!("[{}]", words.join(", "))
}

fn list_paths(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .map(|path: &PathBuf| Path::display(path).to_string())
        .collect();
    list(&shown)
}
