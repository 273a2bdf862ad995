//! [`Options`]: how large the tables are that proxies are measured with.

use std::time::Duration;

/// What precedes sizes on the command line.
const SERVICES: &str = "--services=";
const ENDPOINTS: &str = "--endpoints=";
const QUICK: &str = "--quick";

/// How large the tables are that proxies are measured with, and how long that may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub services: Vec<u16>,
    pub endpoints: Vec<u8>,
    /// After so much time no further round of one comparison begins.
    pub limit: Duration,
}

impl Options {
    /// Whether an argument is one of this part.
    pub fn has(argument: &str) -> bool {
        argument == QUICK || argument.starts_with(SERVICES) || argument.starts_with(ENDPOINTS)
    }

    /// Of the arguments that are of this part.
    ///
    /// # Errors
    /// What is wrong with one, in a sentence.
    pub fn of(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.filter(|argument| Self::has(argument)).collect();
        let is_quick = arguments.iter().any(|argument| argument == QUICK);
        let (services, endpoints, limit) = if is_quick {
            (vec![1_000, 5_000], vec![2], Duration::from_secs(6))
        } else {
            (vec![1_000, 5_000, 10_000, 30_000], vec![2, 10], Duration::from_secs(45))
        };
        let mut options = Self { services, endpoints, limit };
        for argument in &arguments {
            if let Some(list) = argument.strip_prefix(SERVICES) {
                options.services = numbers(argument, list, 600, 30_000)?;
            } else if let Some(list) = argument.strip_prefix(ENDPOINTS) {
                options.endpoints = numbers(argument, list, 1, 50)?;
            }
        }
        Ok(options)
    }
}

fn numbers<T: TryFrom<u16>>(argument: &str, list: &str, least: u16, most: u16) -> Result<Vec<T>, String> {
    let number = |text: &str| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.and_then(|number| T::try_from(number).ok())
    };
    let wrong =
        || format!("`{argument}` is not understood: name numbers from {least} to {most}, with commas in between");
    list.split(',').map(|text| number(text).ok_or_else(wrong)).collect()
}
