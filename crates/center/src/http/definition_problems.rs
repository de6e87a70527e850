//! What is wrong with a set of definitions: everything at once, by place.

use cronfleet_api::definition::PROBLEMS_MAX;
use cronfleet_api::error::Problem;
use cronfleet_core::access::Role;
use cronfleet_store::GroupRow;

use super::error::ApiError;

/// Problems of a set, each with the place of its job.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<(usize, Problem)>,
}

impl Problems {
    /// Adds one of the job at `index`; its field is a path below the job.
    pub(super) fn of_job(&mut self, index: usize, problem: Problem) {
        let field = format!("jobs[{index}].{}", problem.field);
        self.found.push((index, Problem { field, ..problem }));
    }

    /// Adds one that is not of a job.
    pub(super) fn of_set(&mut self, problem: Problem) {
        self.found.push((usize::MAX, problem));
    }

    /// Adds the rule that the job at `index` breaks.
    ///
    /// # Errors
    /// Every error that is not about a value.
    pub(super) fn rule(&mut self, index: usize, error: ApiError) -> Result<(), ApiError> {
        match error {
            ApiError::Invalid {
                field,
                code,
                message,
                column,
                hint,
            } => {
                let problem = Problem {
                    column,
                    ..problem(&field, &code, message, hint)
                };
                self.of_job(index, problem);
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Fails if there are any; the first ones in the order of the set are listed.
    pub(super) fn into_result(mut self) -> Result<(), ApiError> {
        if self.found.is_empty() {
            return Ok(());
        }
        let total = self.found.len();
        self.found.sort_by_key(|(index, _)| *index);
        self.found.truncate(PROBLEMS_MAX);
        Err(ApiError::Problems {
            problems: self.found.into_iter().map(|(_, problem)| problem).collect(),
            total,
        })
    }
}

/// A problem with one field.
pub(super) fn problem(
    field: &str,
    code: &str,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Problem {
    Problem {
        field: field.to_owned(),
        code: code.to_owned(),
        message: message.into(),
        column: None,
        hint: Some(hint.into()),
        also: None,
        job: None,
    }
}

/// A group that does not exist, or is not the caller's to see: the same words for both, and none of the request's.
pub(super) fn no_group(field: &str) -> Problem {
    problem(
        field,
        "not_found",
        "there is no such group, or it is not yours to see",
        "see cronfleet group ls for its name",
    )
}

/// Something that the caller's role in a group does not allow.
pub(super) fn forbidden(field: &str, group: &GroupRow, what: &str, role: Role) -> Problem {
    problem(
        field,
        "auth.forbidden",
        format!(
            "your role in group {:?} does not allow to {what}",
            group.name
        ),
        format!("ask an owner of the group for the role {}", role.word()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_in_the_order_of_the_set_and_not_more_than_can_be_read() {
        let mut problems = Problems::default();
        problems.of_set(no_group("groups[0]"));
        for index in (0..PROBLEMS_MAX + 4).rev() {
            problems.of_job(index, no_group("group"));
        }
        let Err(ApiError::Problems { problems, total }) = problems.into_result() else {
            panic!("they are an error");
        };
        assert_eq!((problems.len(), total), (PROBLEMS_MAX, PROBLEMS_MAX + 5));
        assert_eq!(problems[0].field, "jobs[0].group");
        assert_eq!(problems[99].field, "jobs[99].group");
        assert!(Problems::default().into_result().is_ok());
    }
}
