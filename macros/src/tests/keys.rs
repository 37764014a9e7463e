use super::refused;
use quote::quote;

const KEYS: &str = "the keys are `client`, `target`, `model`, `first_check`, `interval`, `timeout`, \
                    `polling`, `idempotent`, `map_err`, `crate`";
const NO_COMMA: &str = "expected `,`";

macro_rules! refuses {
    ($($name:ident: ($($args:tt)*) $($message:expr),+;)*) => {
        $(
            #[test]
            fn $name() {
                let item = quote! { async fn f(&self) -> Result<R, E> {} };
                assert_eq!(refused(quote! { $($args)* }, item), [$($message.to_owned()),+]);
            }
        )*
    };
}

refuses! {
    unknown: (retries = 3) format!("unknown key `retries`; {KEYS}");
    typo: (intervall = "20s") format!("unknown key `intervall`; did you mean `interval`? {KEYS}");
    transposed: (timeuot = "20s") format!("unknown key `timeuot`; did you mean `timeout`? {KEYS}");
    longer: (map_error = f) format!("unknown key `map_error`; did you mean `map_err`? {KEYS}");
    other_case: (Timeout = "20s") format!("unknown key `Timeout`; did you mean `timeout`? {KEYS}");
    no_key: (= 1) format!("expected a key; {KEYS}");
    literal: ("20s") format!("expected a key; {KEYS}");
    no_value: (timeout) "`timeout` takes a duration with its unit, in quotes: `timeout = \"20m\"`";
    half_typed: (timeout =) "`timeout` takes a duration with its unit, in quotes: `timeout = \"20m\"`";
    in_parentheses: (target(Team)) "`target` takes a type: `target = Team`";
    number: (interval = 45) "`interval` takes a duration with its unit, in quotes: `interval = \"45s\"`";
    variable: (timeout = TIMEOUT) "`timeout` takes a duration with its unit, in quotes: `timeout = \"20m\"`; for one in a variable, write `polling = Polling::default().timeout(…)`";
    duration: (interval = Duration::from_secs(1)) "`interval` takes a duration with its unit, in quotes: `interval = \"45s\"`; for one in a variable, write `polling = Polling::default().interval(…)`";
    duration_of_std: (first_check = ::std::time::Duration::ZERO) "`first_check` takes a duration with its unit, in quotes: `first_check = \"5s\"`; for one in a variable, write `polling = Polling::default().first_check(…)`";
    quoted_type: (target = "Team") "`target` takes a type, without quotes: `target = Team`";
    quoted_model: (model = "M") "`model` takes a type, without quotes: `model = TeamsAsyncOperation`";
    quoted_client: (client = "self.graph") "`client` takes an expression, without quotes: `client = self.graph`";
    quoted_polling: (polling = "5s") "`polling` takes an expression, without quotes: `polling = Polling::frequent()`";
    quoted_function: (map_err = "f") "`map_err` takes the path of a function, without quotes: `map_err = MyError::from_graph`";
    quoted_path: (crate = "graph") "`crate` takes a path, without quotes: `crate = my_graph::graph_operation`";
    generic_path: (crate = graph::<u8>) "`crate` takes a path: `crate = my_graph::graph_operation`";
    closure_as_client: (client = |graph| graph) "`client` takes the client itself, not a closure";
    flag_with_value: (idempotent = true) "`idempotent` is a flag; write it without a value";
    flag_in_parentheses: (idempotent(true)) "`idempotent` is a flag; write it without a value";
    flag_twice: (idempotent, idempotent) "`idempotent` is given twice";
    closure: (map_err = |e| e) "`map_err` takes the path of a function: `map_err = MyError::from_graph`";
    called: (map_err = f(1)) "`map_err` takes the path of a function: `map_err = MyError::from_graph`";
    half_typed_expression: (client = self.) "`client` takes an expression: `client = self.graph`";
    no_comma: (client = self target = T) NO_COMMA;
    no_comma_after_literal: (timeout = "20m" interval = "0s") NO_COMMA, "`interval` has to be longer than zero";
    no_comma_after_flag: (idempotent target = T, timeout) NO_COMMA,
        "`timeout` takes a duration with its unit, in quotes: `timeout = \"20m\"`";
    semicolon: (client = self; target = T; interval = "0s") NO_COMMA, NO_COMMA,
        "`interval` has to be longer than zero";
    semicolons: (client = self;; interval = "0s") NO_COMMA, "`interval` has to be longer than zero";
    semicolon_after_a_mistake: (timeout(1); interval = "0s")
        "`timeout` takes a duration with its unit, in quotes: `timeout = \"20m\"`",
        "`interval` has to be longer than zero";
    twice: (timeout = "1s", timeout = "2s") "`timeout` is given twice";
    crate_twice: (crate = a, crate = b) "`crate` is given twice";
    no_unit: (timeout = "20") "`timeout` has no unit after 20: `20s`, `20m` or `20h`";
    zero_interval: (interval = "0s") "`interval` has to be longer than zero";
    zero_timeout: (timeout = "0h 0m") "`timeout` has to be longer than zero";
    beside_polling: (polling = p, first_check = "1s", interval = "2s", timeout = "3s")
        "`first_check` cannot be combined with `polling`; call `.first_check(…)` on the policy given there",
        "`interval` cannot be combined with `polling`; call `.interval(…)` on the policy given there",
        "`timeout` cannot be combined with `polling`; call `.timeout(…)` on the policy given there";
    several: (tmeout = "1s", target = HashMap<A, B>, interval = "x", first_check = "1s", first_check = "1s",)
        format!("unknown key `tmeout`; did you mean `timeout`? {KEYS}"),
        "`interval` needs a whole number before `x`, as in `20m`",
        "`first_check` is given twice";
    half_typed_after_a_mistake: (timeout = "5", ti)
        "`timeout` has no unit after 5: `5s`, `5m` or `5h`",
        format!("unknown key `ti`; {KEYS}");
    with_commas_inside: (oops = HashMap<A, B>, timeout = "0s")
        format!("unknown key `oops`; {KEYS}"),
        "`timeout` has to be longer than zero";
    unknown_in_second_place: (target = Team, intervall = "20s")
        format!("unknown key `intervall`; did you mean `interval`? {KEYS}");
    known_without_value_in_second_place: (target = A B, timeout)
        NO_COMMA,
        "`timeout` takes a duration with its unit, in quotes: `timeout = \"20m\"`";
}

/// A third of the letters may be wrong, or too many, or missing.
#[test]
fn near_keys() {
    for (name, near) in [
        ("clint", Some("client")),
        ("clnt", Some("client")),
        ("cnt", None),
        ("crates", Some("crate")),
        ("carte", None),
        ("tget", Some("target")),
        ("tgt", None),
        ("intreval", Some("interval")),
        ("timeouts", Some("timeout")),
        ("time_outs", None),
        ("time_out_after", None),
        ("firstcheck", Some("first_check")),
        ("first_delay", None),
        ("poll", None),
        ("pollin", Some("polling")),
        ("idempotant", Some("idempotent")),
        ("idempotency", Some("idempotent")),
        ("retries", None),
        ("error", None),
        ("client_client", None),
        ("on", None),
    ] {
        assert_eq!(crate::args::near_key(name), near, "{name}");
    }
}
