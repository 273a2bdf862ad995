//! [`Quotas`]: what roles are guaranteed and limited to, and how much of it they have.

use std::collections::BTreeMap;

use orch_core::allocator::{Quota, Resource, Resources, Value};

use super::columns::{Columns, is_plain};

/// What roles are guaranteed and limited to, and how much of it they have.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    accounts: BTreeMap<String, Account>,
    /// What guaranteed roles have not got yet.
    needed: Vec<i128>,
    /// What is nobody's and free on active nodes.
    open: Vec<i128>,
}

/// What a role of the top has, with all below it.
#[derive(Debug, Default)]
struct Account {
    quota: Quota,
    guarantees: Vec<i128>,
    /// None where there is no limit.
    limits: Vec<Option<i128>>,
    /// What is reserved for it, used or not, and what else it uses or is offered.
    consumed: Vec<i128>,
}

/// How much of each resource may still be had; no limit where there is `None`, and beyond the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowance(Vec<Option<i128>>);

impl Quotas {
    /// Whether there are none: then nothing of this matters.
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Whether anything is guaranteed to anybody.
    pub(crate) fn has_guarantees(&self) -> bool {
        self.accounts.values().any(|account| account.guarantees.iter().any(|amount| *amount > 0))
    }

    pub(crate) fn quotas(&self) -> impl Iterator<Item = (&str, &Quota)> {
        self.accounts.iter().map(|(top, account)| (top.as_str(), &account.quota))
    }

    /// Sets the quota of a role that consumes so much.
    pub(crate) fn set(&mut self, top: &str, quota: Quota, consumed: Vec<i128>, columns: &mut Columns) {
        self.accounts.remove(top);
        if !quota.is_default() {
            let guarantees = columns.row(&quota.guarantees);
            let limits = columns.row(&quota.limits);
            let width = columns.totals.amounts.len();
            let mut account = Account { quota, guarantees: vec![0; width], limits: vec![None; width], consumed };
            guarantees.into_iter().for_each(|(column, amount)| account.guarantees[column] = amount.into());
            limits.into_iter().for_each(|(column, amount)| account.limits[column] = Some(amount.into()));
            self.accounts.insert(top.to_owned(), account);
        }
        self.needed = self.accounts.values().map(Account::need).fold(Vec::new(), |sum, need| summed(sum, &need, 1));
    }

    /// The role has more of what is nobody's, or of what is reserved for it; or less.
    pub(crate) fn consume(&mut self, top: &str, amounts: &[i64], sign: i128) {
        let Some(account) = self.accounts.get_mut(top) else { return };
        let before = account.need();
        add(&mut account.consumed, amounts, sign);
        let after = account.need();
        let needed = summed(std::mem::take(&mut self.needed), &before, -1);
        self.needed = summed(needed, &after, 1);
    }

    /// More is free on active nodes, or less.
    pub(crate) fn open(&mut self, amounts: &[i64], sign: i128) {
        add(&mut self.open, amounts, sign);
    }

    /// What the role may have without exceeding its limits.
    pub(crate) fn below_limit(&self, top: &str) -> Allowance {
        let Some(account) = self.accounts.get(top) else { return Allowance::default() };
        let left = account.limits.iter().enumerate().map(|(column, limit)| {
            limit.map(|limit| (limit - account.consumed.get(column).copied().unwrap_or(0)).max(0))
        });
        Allowance(left.collect())
    }

    /// What anybody may have without taking what is kept for guarantees.
    pub(crate) fn not_kept(&self) -> Allowance {
        if !self.has_guarantees() {
            return Allowance::default();
        }
        let left = self.open.iter().enumerate().map(|(column, open)| {
            let kept = self.needed.get(column).copied().unwrap_or(0);
            (kept > 0).then(|| (open - kept).max(0))
        });
        Allowance(left.collect())
    }

    /// What the role is guaranteed and has not got; nothing of what it is not guaranteed.
    pub(crate) fn guaranteed(&self, top: &str) -> Option<Allowance> {
        let need = self.accounts.get(top)?.need();
        let some = need.iter().any(|amount| *amount > 0);
        some.then(|| Allowance(need.into_iter().map(Some).collect()))
    }
}

impl Account {
    /// What is guaranteed and not there yet.
    fn need(&self) -> Vec<i128> {
        let consumed = |column: usize| self.consumed.get(column).copied().unwrap_or(0);
        self.guarantees.iter().enumerate().map(|(column, amount)| (amount - consumed(column)).max(0)).collect()
    }
}

impl Allowance {
    /// Less by so much.
    pub(crate) fn less(mut self, amounts: &[i64]) -> Self {
        for (left, amount) in self.0.iter_mut().zip(amounts) {
            *left = left.map(|left| (left - i128::from(*amount)).max(0));
        }
        self
    }

    /// As much of the amounts as is allowed, in columns that are not `None` here. Whole resources go whole or not.
    pub(crate) fn chop(mut self, resources: &Resources, columns: &Columns) -> Resources {
        let chopped = resources.iter().filter_map(|part| {
            let (amount, column) = (part.amount()?, columns.find(&part.name)?);
            let Some(Some(left)) = self.0.get_mut(column) else { return Some(part.clone()) };
            let granted = i128::from(amount.millis()).min(*left);
            if part.is_whole() && granted < i128::from(amount.millis()) {
                return None;
            }
            *left -= granted;
            let value = Value::Scalar(orch_core::allocator::Scalar::from_millis(i64::try_from(granted).ok()?));
            Some(Resource { value, ..part.clone() })
        });
        chopped.collect()
    }

    /// The same, but where there is no allowance there is nothing.
    pub(crate) fn chop_strictly(self, resources: &Resources, columns: &Columns) -> Resources {
        let width = self.0.len();
        let named = |part: &Resource| columns.find(&part.name).is_some_and(|column| column < width);
        self.chop(&resources.filtered(named), columns)
    }

    /// The first column of which there is more in these amounts than allowed.
    pub(crate) fn exceeded_by(&self, amounts: &[i64]) -> Option<usize> {
        let mut columns = self.0.iter().zip(amounts).enumerate();
        columns.find_map(|(column, (left, amount))| (*left)?.lt(&i128::from(*amount)).then_some(column))
    }

    /// Both together: as much as either allows.
    pub(crate) fn or(self, other: &Self) -> Self {
        let width = self.0.len().min(other.0.len());
        let sum = |(one, other): (&Option<i128>, &Option<i128>)| Some((*one)? + (*other)?);
        Self(self.0[..width].iter().zip(&other.0[..width]).map(sum).collect())
    }
}

/// What a node keeps for a role of the top, whether it is used or not.
pub(crate) fn reserved_for(top: &str, resources: &Resources, columns: &Columns) -> Vec<i64> {
    columns.amounts(resources, |part| !part.revocable && part.owner().is_some_and(|owner| owner.top() == top))
}

/// What is nobody's and cannot be taken back.
pub(crate) fn plain(resources: &Resources, columns: &Columns) -> Vec<i64> {
    columns.amounts(resources, is_plain)
}

fn add(sums: &mut Vec<i128>, amounts: &[i64], sign: i128) {
    if sums.len() < amounts.len() {
        sums.resize(amounts.len(), 0);
    }
    for (sum, amount) in sums.iter_mut().zip(amounts) {
        *sum += sign * i128::from(*amount);
    }
}

fn summed(mut sums: Vec<i128>, amounts: &[i128], sign: i128) -> Vec<i128> {
    if sums.len() < amounts.len() {
        sums.resize(amounts.len(), 0);
    }
    for (sum, amount) in sums.iter_mut().zip(amounts) {
        *sum += sign * amount;
    }
    sums
}
