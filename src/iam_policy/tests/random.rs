//! Random policies against a plain evaluator that knows everything.
//!
//! A *world* fixes all that may be unknown: who calls, which organisations accounts are in, the values of keys, what IAM
//! says, and how AWS does what it does not document. The plain evaluator reads the JSON itself and answers yes or no in a
//! world. An answer with three values must hold in each world that it allows for.

use super::*;

/// A condition: its operator, key and values.
pub(super) type Drawn = (String, &'static str, Vec<&'static str>);

/// A small generator of numbers, the same in each run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Up to two conditions.
    pub(super) fn conditions(&mut self, draw: fn(&mut Self) -> Drawn) -> Value {
        let mut conditions = json!({});
        for _ in 0..self.below(3) {
            let (operator, key, values) = draw(self);
            conditions[operator] = json!({key: values});
        }
        conditions
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 33) % bound as u64).unwrap()
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, pool: &[T]) -> T {
        pool[self.below(pool.len())]
    }
}

const A: &str = "111111111111";
const B: &str = "222222222222";
const C: &str = "333333333333";
const ROLE_A1: &str = "arn:aws:iam::111111111111:role/r1";
const ROLE_A2: &str = "arn:aws:iam::111111111111:role/r2";
const ROLE_B1: &str = "arn:aws:iam::222222222222:role/r1";
const ROLE_C9: &str = "arn:aws:iam::333333333333:role/r9";
const ROLE_C1: &str = "arn:aws:iam::333333333333:role/r1";
const ROLE_B9: &str = "arn:aws:iam::222222222222:role/r9";
const ROLE_A9: &str = "arn:aws:iam::111111111111:role/r9";
const USER_A: &str = "arn:aws:iam::111111111111:user/u";
const SESSION_A1: &str = "arn:aws:sts::111111111111:assumed-role/r1/s";
const ROOT_A: &str = "arn:aws:iam::111111111111:root";
const S1: &str = "one.amazonaws.com";
const S2: &str = "two.amazonaws.com";
const PEOPLE: &[&str] =
    &[ROLE_A1, ROLE_A2, ROLE_A9, ROLE_B1, ROLE_B9, ROLE_C1, ROLE_C9, USER_A, SESSION_A1, ROOT_A, "anonymous"];

/// All that may be unknown.
#[derive(Clone, Debug)]
struct World {
    caller: &'static str,
    /// The organisations of A, B and C.
    organisations: [Option<&'static str>; 3],
    k1: Option<&'static str>,
    k2: Option<Vec<&'static str>>,
    service_account: Option<&'static str>,
    iam_allows: bool,
    aws_star_is_services: bool,
    naming_account_spares: bool,
    naming_role_spares: bool,
    account_must_be_named: bool,
}

impl World {
    fn is_service(&self) -> bool {
        self.caller.ends_with(".amazonaws.com")
    }

    fn account(&self) -> Option<&'static str> {
        self.caller.split(':').nth(4)
    }

    fn principal_arn(&self) -> Option<&'static str> {
        match self.caller {
            SESSION_A1 => Some(ROLE_A1),
            caller => caller.starts_with("arn:").then_some(caller),
        }
    }

    fn organisation(&self) -> Option<&'static str> {
        let at = [A, B, C].iter().position(|account| Some(*account) == self.account())?;
        self.organisations[at]
    }

    fn key(&self, key: &str) -> Option<Vec<String>> {
        let one = |value: Option<&str>| value.map(|value| vec![value.to_owned()]);
        match key {
            "aws:PrincipalArn" => one(self.principal_arn()),
            "aws:PrincipalOrgID" => one(self.organisation()),
            "aws:PrincipalAccount" if self.is_service() => one(self.service_account),
            "aws:PrincipalAccount" => one(self.account().or(Some("anonymous"))),
            "aws:PrincipalIsAWSService" if self.caller == "anonymous" => None,
            "aws:PrincipalIsAWSService" => one(Some(if self.is_service() { "true" } else { "false" })),
            "aws:username" => one((self.caller == USER_A).then_some("u")),
            "aws:k1" => one(self.k1),
            "aws:k2" => self.k2.as_ref().map(|values| values.iter().map(|value| (*value).to_owned()).collect()),
            other => panic!("{other}"),
        }
    }
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        Some((b'?', rest)) => !text.is_empty() && glob(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}

fn like(pattern: &str, text: &str) -> bool {
    glob(pattern.as_bytes(), text.as_bytes())
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

/// Whether the policy lets a caller do this in a world.
fn plainly_allowed(policy: &Value, world: &World, action: &str) -> bool {
    let applied = |effect: &str| {
        let statements = policy["Statement"].as_array().unwrap();
        statements.iter().any(|statement| statement["Effect"] == effect && plainly_applies(statement, world, action))
    };
    applied("Allow") && !applied("Deny")
}

fn plainly_applies(statement: &Value, world: &World, action: &str) -> bool {
    let named = |element: &str, text: &str, lower: bool| {
        statement.get(element).map(|names| {
            texts(names)
                .iter()
                .any(|name| if lower { like(&name.to_lowercase(), &text.to_lowercase()) } else { like(name, text) })
        })
    };
    let either = |element: &str, text: &str, lower: bool| {
        named(element, text, lower).unwrap_or_else(|| !named(&format!("Not{element}"), text, lower).unwrap())
    };
    either("Action", action, true)
        && either("Resource", KEY, false)
        && plainly_about(statement, world)
        && statement["Condition"].as_object().is_none_or(|operators| {
            operators.iter().all(|(operator, keys)| {
                keys.as_object()
                    .unwrap()
                    .iter()
                    .all(|(key, values)| plainly_holds(operator, world.key(key), &texts(values)))
            })
        })
}

fn plain_principals(element: &Value) -> Vec<(String, String)> {
    match element {
        Value::String(_) => vec![("*".into(), "*".into())],
        types => {
            let types = types.as_object().unwrap();
            types.iter().flat_map(|(kind, names)| texts(names).into_iter().map(|name| (kind.clone(), name))).collect()
        }
    }
}

fn plainly_about(statement: &Value, world: &World) -> bool {
    let allow = statement["Effect"] == "Allow";
    if let Some(element) = statement.get("Principal") {
        return plain_principals(element).iter().any(|(kind, name)| {
            let (is, by_account) = plainly_is(kind, name, world);
            is && (!allow || !by_account || world.iam_allows)
        });
    }
    let names = plain_principals(&statement["NotPrincipal"]);
    let by_account = |kind: &str, name: &str| plainly_is(kind, name, world).1;
    let spared = names.iter().any(|(kind, name)| {
        let itself = name == world.caller || name == "*" && kind == "*" || world.caller == ROOT_A && name == A;
        let role = world.caller == SESSION_A1 && name == ROLE_A1;
        let star = kind == "AWS" && name == "*" && plainly_is(kind, name, world).0;
        itself || star || role && world.naming_role_spares || by_account(kind, name) && world.naming_account_spares
    });
    let account_named = world.caller == "anonymous"
        || world.is_service()
        || names.iter().any(|(kind, name)| by_account(kind, name) || kind == "*" || name == "*")
        || world.caller == ROOT_A && names.iter().any(|(_, name)| name == ROOT_A || name == A);
    let denied_with_account = !allow && world.account_must_be_named && !account_named;
    !spared || denied_with_account
}

/// Whether a name is the caller, and whether only as one of its account.
fn plainly_is(kind: &str, name: &str, world: &World) -> (bool, bool) {
    let is_account =
        Some(name) == world.account() || world.account().is_some_and(|id| name == format!("arn:aws:iam::{id}:root"));
    match kind {
        "*" => (true, false),
        "Service" => (name == world.caller, false),
        _ if name == "*" => (!world.is_service() || world.aws_star_is_services, false),
        _ if is_account => (true, world.caller != ROOT_A),
        _ => (name == world.caller || world.caller == SESSION_A1 && name == ROLE_A1, false),
    }
}

fn plainly_holds(operator: &str, values: Option<Vec<String>>, wanted: &[String]) -> bool {
    if operator == "Null" {
        return wanted.iter().any(|wanted| (wanted == "true") == values.is_none());
    }
    let (set, base) = operator.split_once(':').map_or(("", operator), |(set, base)| (set, base));
    let if_exists = base.ends_with("IfExists");
    let base = base.trim_end_matches("IfExists");
    let negated = base.contains("Not");
    let one = |value: &String| {
        let matched = wanted.iter().any(|wanted| match base.replace("Not", "").as_str() {
            "StringLike" => like(wanted, value),
            "ArnLike" | "ArnEquals" => {
                let (wanted, value): (Vec<&str>, Vec<&str>) =
                    (wanted.splitn(6, ':').collect(), value.splitn(6, ':').collect());
                wanted.len() == 6
                    && value.len() == 6
                    && wanted.iter().zip(value).all(|(wanted, value)| like(wanted, value))
            }
            "StringEqualsIgnoreCase" => wanted.to_lowercase() == value.to_lowercase(),
            "StringEquals" | "Bool" => wanted == value,
            other => panic!("{other}"),
        });
        matched != negated
    };
    match (set, values) {
        ("ForAllValues", values) => values.unwrap_or_default().iter().all(one),
        ("ForAnyValue", values) => values.unwrap_or_default().iter().any(one),
        (_, None) => negated || if_exists,
        (_, Some(values)) => one(&values[0]),
    }
}

fn random_policy(random: &mut Random) -> Value {
    let statements: Vec<Value> = (0..1 + random.below(4)).map(|_| random_statement(random)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn random_statement(random: &mut Random) -> Value {
    let mut statement = json!({"Effect": if random.chance(60) { "Allow" } else { "Deny" }});
    let action = random.pick(&["*", "kms:*", "kms:De*", "KMS:Decrypt", "kms:Encrypt", "s3:*"]);
    statement[if random.chance(85) { "Action" } else { "NotAction" }] = json!([action]);
    let resource =
        random.pick(&["*", "*", KEY, "arn:aws:kms:*:222222222222:key/*", "arn:aws:kms:us-east-1:333333333333:key/*"]);
    statement[if random.chance(90) { "Resource" } else { "NotResource" }] = json!(resource);
    let names = [ROLE_A1, ROLE_B1, USER_A, SESSION_A1, ROOT_A, A, B, "arn:aws:iam::222222222222:root"];
    let principal = match random.below(6) {
        0 | 1 => json!("*"),
        2 => json!({"AWS": "*"}),
        3 => json!({"AWS": [random.pick(&names), random.pick(&names)], "Service": S1}),
        4 => json!({"Service": [S1]}),
        _ => json!({"AWS": random.pick(&names)}),
    };
    statement[if random.chance(85) { "Principal" } else { "NotPrincipal" }] = principal;
    statement["Condition"] = random.conditions(random_condition);
    statement
}

fn random_condition(random: &mut Random) -> Drawn {
    let keys = [
        "aws:PrincipalArn",
        "aws:PrincipalOrgID",
        "aws:PrincipalAccount",
        "aws:k1",
        "aws:k2",
        "aws:username",
        "aws:PrincipalIsAWSService",
    ];
    let key = random.pick(&keys);
    if random.chance(8) {
        return ("Null".into(), key, vec![random.pick(&["true", "false"])]);
    }
    let pool: &[&str] = match key {
        "aws:PrincipalArn" => &[
            ROLE_A1,
            ROLE_B1,
            "arn:aws:iam::111111111111:role/*",
            "arn:aws:iam::*:role/r1",
            "arn:aws:iam::111111111111:*",
        ],
        "aws:PrincipalOrgID" => &["o-1", "o-2", "o-*"],
        "aws:PrincipalAccount" => &[A, B, C],
        "aws:PrincipalIsAWSService" => &["true", "false"],
        "aws:username" => &["u", "v", "*"],
        _ => &["x", "y", "x*", "*"],
    };
    let values: Vec<&str> = (0..1 + random.below(2)).map(|_| random.pick(pool)).collect();
    let not = if random.chance(40) { "Not" } else { "" };
    let mut operator = match key {
        "aws:PrincipalArn" if random.chance(50) => format!("Arn{not}{}", random.pick(&["Like", "Equals"])),
        "aws:PrincipalIsAWSService" => "Bool".to_owned(),
        _ => format!("String{not}{}", random.pick(&["Like", "Equals", "EqualsIgnoreCase"])),
    };
    // A key with several values needs a set operator.
    if key == "aws:k2" || random.chance(10) {
        return (format!("{}:{operator}", random.pick(&["ForAllValues", "ForAnyValue"])), key, values);
    }
    if random.chance(20) {
        operator.push_str("IfExists");
    }
    (operator, key, values)
}

/// A caller, and those whom it may be.
fn random_caller(random: &mut Random) -> (Caller, Vec<&'static str>) {
    let of = |account: &str| PEOPLE.iter().copied().filter(|arn| arn.contains(account)).collect::<Vec<_>>();
    match random.below(9) {
        0 => (Caller::Everyone { anonymous: true }, PEOPLE.to_vec()),
        1 => {
            (Caller::Everyone { anonymous: false }, PEOPLE.iter().copied().filter(|arn| *arn != "anonymous").collect())
        }
        2 => (Caller::AccountPrincipals(A.into()), of(A)),
        3 => (Caller::AccountPrincipals(B.into()), of(B)),
        4 => (
            Caller::PrincipalsLike("arn:aws:iam::111111111111:role/*".into()),
            vec![ROLE_A1, ROLE_A2, ROLE_A9, SESSION_A1],
        ),
        5 => (Caller::AccountRoot(A.into()), vec![ROOT_A]),
        6 => {
            let service = random.pick(&[S1, S2]);
            (Caller::Service(service.into()), vec![service])
        }
        _ => {
            let arn = random.pick(&[ROLE_A2, ROLE_B1, USER_A, SESSION_A1, ROLE_C9]);
            (Caller::Principal(arn.into()), vec![arn])
        }
    }
}

/// What is known of two keys, and what they may be.
type Keys = (Fact, Vec<Option<&'static str>>, Fact, Vec<Option<Vec<&'static str>>>);

fn random_keys(random: &mut Random) -> Keys {
    let all = vec![None, Some("x"), Some("y"), Some("xy")];
    let (k1, may_be1) = match random.below(6) {
        0 => (Fact::absent(), vec![None]),
        1 => (Fact::known("x"), vec![Some("x")]),
        2 => (Fact::present(), all[1..].to_vec()),
        3 => (Fact::like(["x*"]).or_absent(), vec![None, Some("x"), Some("xy")]),
        4 => (Fact::known("y").or_absent(), vec![None, Some("y")]),
        _ => (Fact::unknown(), all),
    };
    let (k2, may_be2) = match random.below(5) {
        0 => (Fact::absent(), vec![None]),
        1 => (Fact::values(["x", "y"]), vec![Some(vec!["x", "y"])]),
        2 => (Fact::known("x"), vec![Some(vec!["x"])]),
        3 => (Fact::present(), vec![Some(vec!["x"]), Some(vec!["y", "xy"])]),
        _ => (Fact::unknown(), vec![None, Some(vec!["x"]), Some(vec!["x", "y"])]),
    };
    (k1, may_be1, k2, may_be2)
}

fn random_world(random: &mut Random, callers: &[&'static str], keys: &Keys) -> World {
    let organisations = [None, Some("o-1"), Some("o-2"), Some("p-3")];
    World {
        caller: random.pick(callers),
        organisations: std::array::from_fn(|_| random.pick(&organisations)),
        k1: random.pick(&keys.1),
        k2: keys.3[random.below(keys.3.len())].clone(),
        service_account: random.pick(&[None, Some(A), Some(B)]),
        iam_allows: random.chance(60),
        aws_star_is_services: random.chance(50),
        naming_account_spares: random.chance(50),
        naming_role_spares: random.chance(50),
        account_must_be_named: random.chance(50),
    }
}

#[test]
fn certain_answers_hold_in_every_world() {
    let mut random = Random::new(1);
    let mut answers = [0_usize; 3];
    for round in 0..12_000 {
        let policy = random_policy(&mut random);
        let (caller, members) = random_caller(&mut random);
        let keys = random_keys(&mut random);
        let mut request = request(caller, "kms:Decrypt", KEY);
        request.facts.set("aws:k1", keys.0.clone());
        request.facts.set("aws:k2", keys.2.clone());
        let answer = evaluate(&Document::from_value(policy.clone()).unwrap(), &request).outcome();
        answers[answer as usize] += 1;
        if answer == Truth::Unknown {
            continue;
        }
        for _ in 0..60 {
            let world = random_world(&mut random, &members, &keys);
            let plainly = plainly_allowed(&policy, &world, "kms:Decrypt");
            assert_eq!(answer, plainly.into(), "{round} {policy:#} {:?} {world:?}", request.caller);
        }
    }
    assert!(answers.iter().all(|count| *count > 1_000), "{answers:?}");
}

/// With every fact given, nothing is unknown but what IAM decides and what AWS does not document.
#[test]
fn nothing_is_unknown_when_everything_is_known() {
    let mut random = Random::new(2);
    let mut certain = 0;
    for round in 0..12_000 {
        let policy = random_policy(&mut random);
        let text = policy.to_string();
        if text.contains("NotPrincipal") {
            continue;
        }
        let mut keys = random_keys(&mut random);
        let caller = random.pick(&[ROLE_A1, ROLE_A2, ROLE_B1, USER_A, ROLE_C9, SESSION_A1, S1, S2]);
        let mut world = random_world(&mut random, &[caller], &keys);
        world.k2 = world.k2.filter(|values| !values.is_empty());
        keys.0 = world.k1.map_or_else(Fact::absent, Fact::known);
        keys.2 = world.k2.clone().map_or_else(Fact::absent, Fact::values);
        let caller = if world.is_service() { service(caller) } else { principal(caller) };
        let mut request = request(caller, "kms:Decrypt", KEY);
        for key in ["aws:k1", "aws:k2", "aws:PrincipalOrgID", "aws:PrincipalArn", "aws:PrincipalAccount"] {
            request.facts.set(key, world.key(key).map_or_else(Fact::absent, Fact::values));
        }
        let evaluation = evaluate(&Document::from_value(policy.clone()).unwrap(), &request);
        let by_iam = evaluation.delegated != Truth::False;
        let star = world.is_service() && text.contains(r#""AWS":"*""#);
        // A role as caller is all its sessions, of which a policy may name one.
        let session = text.contains("assumed-role");
        if by_iam || star || session {
            continue;
        }
        let plainly = plainly_allowed(&policy, &world, "kms:Decrypt");
        assert_eq!(evaluation.outcome(), plainly.into(), "{round} {policy:#} {world:?}");
        certain += 1;
    }
    assert!(certain > 3_000, "{certain}");
}

fn is_member(who: &Who, world: &World) -> bool {
    match who {
        Who::Everyone => !world.is_service(),
        Who::Organisation(id) => world.organisation() == Some(id.as_str()),
        Who::Account(id) => world.account() == Some(id.as_str()),
        Who::Roles(pattern) => world.principal_arn().is_some_and(|arn| like(pattern, arn)),
        Who::Principal(arn) => world.caller == arn || world.principal_arn() == Some(arn.as_str()),
        Who::Service(name) => world.is_service() && (name == "*" || name == world.caller),
    }
}

/// Who can in some world is among those who were found; and those who surely can, can.
#[test]
fn nobody_else_reaches() {
    let mut random = Random::new(3);
    let (mut allowed, mut exact) = (0, 0);
    for round in 0..6_000 {
        let policy = random_policy(&mut random);
        let keys = random_keys(&mut random);
        let facts = Facts::new().with("aws:k1", keys.0.clone()).with("aws:k2", keys.2.clone());
        let document = Document::from_value(policy.clone()).unwrap();
        let actions = ["kms:Decrypt"];
        let grants =
            reach(&document, &Question { actions: &actions, resource: Target::exact(KEY), facts, anonymous: true });
        let mut callers = PEOPLE.to_vec();
        callers.extend([S1, S2]);
        let mut worlds: Vec<World> = (0..150).map(|_| random_world(&mut random, &callers, &keys)).collect();
        // Services of customers' accounts are left out of classes.
        worlds.iter_mut().for_each(|world| world.service_account = None);
        let passes = |world: &World| plainly_allowed(&policy, world, "kms:Decrypt");
        for world in worlds.iter().filter(|world| passes(world)) {
            allowed += 1;
            // Services are some of everyone.
            let services = world.is_service() && grants.iter().any(|grant| grant.who == Who::Everyone);
            let found = services || grants.iter().any(|grant| is_member(&grant.who, world));
            assert!(found, "{round} {policy:#} {world:?} {grants:#?}");
        }
        for grant in grants.iter().filter(|grant| grant.certainty == Certainty::Exact) {
            let members: Vec<&World> = worlds.iter().filter(|world| is_member(&grant.who, world)).collect();
            if members.len() >= 12 {
                exact += 1;
                assert!(members.iter().any(|world| passes(world)), "{round} {policy:#} {grant:#?}");
            }
        }
    }
    assert!(allowed > 10_000 && exact > 1_000, "{allowed} {exact}");
}
