//! Prints every clause of every contract: what an implementation is held to.

/// Prints the clauses of a list, and counts them.
macro_rules! print_clauses {
    ($suite:item [$contract:literal $count:ident] $($id:ident $module:ident::$name:ident $words:literal;)*) => {
        println!("\n{}", $contract);
        $(
            println!("  {:3} {}", stringify!($id), $words);
            $count += 1;
        )*
    };
}

fn main() {
    let mut count = 0;
    orch_testkit::store_clauses! { [print_clauses] ["Store" count] }
    orch_testkit::compact_clauses! { [print_clauses] ["Compact" count] }
    orch_testkit::transact_clauses! { [print_clauses] ["Transact" count] }
    orch_testkit::claim_clauses! { [print_clauses] ["Claim" count] }
    orch_testkit::scheduler_clauses! { [print_clauses] ["Scheduler" count] }
    orch_testkit::allocator_clauses! { [print_clauses] ["Allocator" count] }
    orch_testkit::controller_clauses! { [print_clauses] ["Controller" count] }
    orch_testkit::runtime_clauses! { [print_clauses] ["Runtime" count] }
    orch_testkit::interactive_clauses! { [print_clauses] ["Interactive" count] }
    orch_testkit::images_clauses! { [print_clauses] ["Images" count] }
    orch_testkit::volumes_clauses! { [print_clauses] ["Volumes" count] }
    orch_testkit::proxy_clauses! { [print_clauses] ["ServiceProxy" count] }
    orch_testkit::routes_clauses! { [print_clauses] ["PodRoutes" count] }
    println!("\n{count} clauses");
}
