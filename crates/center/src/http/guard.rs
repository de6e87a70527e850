//! Who may call a handler. A handler says it in its first parameter: [`Public`] or [`Scope`] of a permission. The router takes
//! no handler without one (see [`super::routes`]), so a route without a declared permission does not compile, and what is
//! declared is what is enforced: the parameter itself signs the caller in and checks.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use cronfleet_core::access::{Principal, Reach, Role};
use cronfleet_core::id::{GroupId, UserId};
use cronfleet_store::{Membership, SecretHash, UserRow};
use http::request::Parts;

use super::error::ApiError;
use super::session::{self, Token};
use super::state::HttpState;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Public,
    /// To be signed in.
    SignedIn,
    /// To have at least this role in the group of the object.
    InGroup(Role),
    /// To be an administrator.
    Administrator,
}

impl Rule {
    /// The word in the OpenAPI document (`x-permission`).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SignedIn => "signed_in",
            Self::InGroup(role) => role.word(),
            Self::Administrator => "administrator",
        }
    }
}

/// A permission as a type, so that handlers can name it in their signature.
pub trait Permission: Send + Sync + 'static {
    /// What it asks of the caller.
    const RULE: Rule;
}

/// A permission in the group of an object.
pub trait GroupPermission: Permission {
    /// The least role.
    const ROLE: Role;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident => $rule:expr $(, $role:expr)?;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Permission for $name {
                const RULE: Rule = $rule;
            }

            $(impl GroupPermission for $name {
                const ROLE: Role = $role;
            })?
        )+
    };
}

permissions! {
    /// Signed in; what is answered depends on the caller's groups.
    SignedIn => Rule::SignedIn;
    /// Administrator.
    Admin => Rule::Administrator;
    /// Viewer of the object's group.
    Viewer => Rule::InGroup(Role::Viewer), Role::Viewer;
    /// Operator of the object's group.
    Operator => Rule::InGroup(Role::Operator), Role::Operator;
    /// Editor of the object's group.
    Editor => Rule::InGroup(Role::Editor), Role::Editor;
    /// Owner of the object's group.
    Owner => Rule::InGroup(Role::Owner), Role::Owner;
}

/// First parameter of a handler that anybody may call.
#[derive(Debug, Clone, Copy)]
pub struct Public;

impl<S: Send + Sync> FromRequestParts<S> for Public {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self)
    }
}

/// First parameter of every other handler: who calls, and how far permission `P` lets the caller reach. Only the extractor
/// makes one.
#[derive(Debug, Clone)]
pub struct Scope<P> {
    caller: Caller,
    permission: PhantomData<P>,
}

/// A signed-in caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: UserRow,
    /// The user's rights.
    pub principal: Principal,
    /// The user's roles with the groups' names.
    pub memberships: Vec<Membership>,
    /// Names the session in the store.
    pub session: SecretHash,
}

impl<P> Scope<P> {
    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller's id, for records.
    pub fn user(&self) -> UserId {
        self.caller.user.id
    }

    /// The groups whose objects the caller may see.
    pub fn visible(&self) -> Reach {
        self.caller.principal.reach(Role::Viewer)
    }

    /// The caller's role in a group that is known to be visible.
    pub fn role_in(&self, group: GroupId) -> Role {
        self.caller.principal.role_in(group).unwrap_or(Role::Viewer)
    }
}

impl<P: GroupPermission> Scope<P> {
    /// The groups in which the caller has this permission.
    pub fn reach(&self) -> Reach {
        self.caller.principal.reach(P::ROLE)
    }

    /// Checks the permission in the group of an object that was found within [`Scope::visible`].
    ///
    /// # Errors
    /// [`ApiError::NotFound`] if the group is not visible at all, [`ApiError::Forbidden`] if the role is too low.
    pub fn allow_in(&self, group: GroupId) -> Result<(), ApiError> {
        match self.caller.principal.role_in(group) {
            None => Err(ApiError::NotFound),
            Some(role) if role < P::ROLE => Err(ApiError::Forbidden),
            Some(_) => Ok(()),
        }
    }
}

impl<P: Permission> FromRequestParts<HttpState> for Scope<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let token = Token::of_request(&parts.headers).ok_or(ApiError::SignInRequired)?;
        let caller = session::caller(state, &token)
            .await?
            .ok_or(ApiError::SignInRequired)?;
        if P::RULE == Rule::Administrator && !caller.principal.is_admin {
            return Err(ApiError::Forbidden);
        }
        Ok(Self {
            caller,
            permission: PhantomData,
        })
    }
}

/// Parameters of a handler, the first of which declares its permission. `M` is axum's mark for the last parameter.
pub trait Declared {
    /// What the handler asks of its caller.
    const RULE: Rule;
}

macro_rules! declared {
    ($($parameter:ident),*) => {
        impl<M, P: Permission, $($parameter),*> Declared for (M, Scope<P>, $($parameter),*) {
            const RULE: Rule = P::RULE;
        }

        impl<M, $($parameter),*> Declared for (M, Public, $($parameter),*) {
            const RULE: Rule = Rule::Public;
        }
    };
}

declared!();
declared!(A);
declared!(A, B);
declared!(A, B, C);
declared!(A, B, C, D);
declared!(A, B, C, D, E);
