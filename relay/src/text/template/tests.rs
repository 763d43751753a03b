//! What templates make of cells, and what is no template.

use super::*;

fn fill(template: &str, form: Form, cells: &[(&str, &str)]) -> Result<String, TemplateError> {
    fill_for(template, form, cells, "lea_1", 1)
}

fn fill_for(
    template: &str,
    form: Form,
    cells: &[(&str, &str)],
    lead: &str,
    step: usize,
) -> Result<String, TemplateError> {
    let cells = cells
        .iter()
        .map(|(name, cell)| ((*name).to_owned(), (*cell).to_owned()));
    Template::parse(template, form)?.render(&Filling {
        fields: &Arc::new(cells.collect()),
        lead,
        step,
    })
}

#[test]
fn fields_are_filled_and_missing_ones_named() {
    let cells = [
        ("first_name", "Ann"),
        ("last name", "Smith"),
        ("company", " "),
        ("town", "#N/A"),
        ("price (eur)", "5"),
    ];
    let missing = |field: &str| {
        Err(TemplateError::Missing {
            field: field.to_owned(),
        })
    };
    let unclosed = |near: &str| {
        Err(TemplateError::Unclosed {
            line: 1,
            near: near.to_owned(),
        })
    };
    for (template, expected) in [
        ("Hi {{first_name}}, {{ first_name }}!", Ok("Hi Ann, Ann!")),
        ("no field } here {", Ok("no field } here {")),
        (
            "{{First Name}} {{FIRST_NAME}} {{first-name}} {{firstName}}",
            Ok("Ann Ann Ann Ann"),
        ),
        ("{{last_name}} {{Last Name}}", Ok("Smith Smith")),
        ("{{Price (EUR)}}", Ok("5")),
        ("Hi {{first_name | default: \"there\"}}", Ok("Hi Ann")),
        (
            "at {{company | default: \"your company\"}}",
            Ok("at your company"),
        ),
        ("at {{company|default:'us'}}", Ok("at us")),
        ("at {{company | Default: “you”}}", Ok("at you")),
        ("at {{company | default: \"a|b\"}}", Ok("at a|b")),
        ("at {{company | default: \"\"}}!", Ok("at !")),
        ("at {{company}}", missing("company")),
        ("in {{town | default: \"your town\"}}", Ok("in your town")),
        ("in {{town}}", missing("town")),
        ("at {{city}}", missing("city")),
        ("at {{city", unclosed("city")),
        ("at {{city\n}}", missing("city")),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(fill(template, Form::Text, &cells), expected, "{template}");
        assert_eq!(
            fill(template, Form::Literal, &cells),
            expected,
            "{template}"
        );
    }
    let template = "{{a}} {{b | default: \"x\"}} {% if c and not d %}{% endif %} {{a}}";
    let template = Template::parse(template, Form::Text).unwrap();
    assert_eq!(
        template.names().iter().collect::<Vec<_>>(),
        ["a", "b", "c", "d"]
    );
}

#[test]
fn what_other_tools_write_in_two_braces_is_refused_with_what_to_write() {
    for (template, instead) in [
        ("{{}}", "{{first_name}}"),
        ("{{ }}", "{{first_name}}"),
        ("{{#if first_name}}x{{/if}}", "{{first_name}}"),
        ("{{{first_name}}}", "{{first_name}}"),
        (
            "{{first_name|there}}",
            "{{first_name | default: \"there\"}}",
        ),
        (
            "{{first_name | fallback: \"friend\"}}",
            "{{first_name | default: \"friend\"}}",
        ),
        ("{{ name | upcase }}", "{{name | default: \"upcase\"}}"),
        ("{{name | default}}", "{{name | default: "),
        ("{{name | default: there}}", "{{name | default: \"there\"}}"),
        ("{{get(name)}}", "{{first_name}}"),
        ("{{$name}}", "{{first_name}}"),
        ("{{> footer}}", "{{first_name}}"),
        ("{{name = \"x\"}}", "{{first_name}}"),
    ] {
        let error = Template::parse(template, Form::Text)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("is no field") && error.contains(instead),
            "{template}: {error}"
        );
    }
}

const ANN: &[(&str, &str)] = &[
    ("first name", "Ann"),
    ("Company", "Smith & Söhne <Ulm>"),
    ("town", "n/a"),
    ("employees", "12"),
];

#[test]
fn conditions_take_an_empty_cell_for_false() {
    for (template, expected) in [
        (
            "{% if company %}at {{company}}{% endif %}.",
            "at Smith & Söhne <Ulm>.",
        ),
        (
            "{% if town %}in {{town}}{% else %}there{% endif %}",
            "there",
        ),
        ("{% if First Name %}Hi {{First Name}}{% endif %}", "Hi Ann"),
        ("{% if first-name %}Hi{% endif %}", "Hi"),
        ("{% if not town and company %}x{% endif %}", "x"),
        (
            "{% if firstName == \"Ann\" %}x{% elif town %}y{% else %}z{% endif %}",
            "x",
        ),
        (
            "{% if employees|int > 10 %}many{% else %}few{% endif %}",
            "many",
        ),
        ("{{ first_name | upper }}", "ANN"),
        ("{{ town | default(\"here\") }}", "here"),
        ("{{ town | default(company) }}", "Smith & Söhne <Ulm>"),
        ("{{ town or \"here\" }}", "here"),
        ("{{ \"{{\" }}{{ \"%}\" }}", "{{%}"),
        (
            "{% for word in company|split %}{{word}},{% endfor %}",
            "Smith,&,Söhne,<Ulm>,",
        ),
        (
            "{% set who = first_name %}{{who}}{% if who %}!{% endif %}",
            "Ann!",
        ),
        (
            "{% for word in company|split %}{% if loop.first %}{{loop.index}} {{word | upper}}{% endif %}{% endfor %}",
            "1 SMITH",
        ),
        ("a {# no comment #} {#", "a {# no comment #} {#"),
    ] {
        assert_eq!(
            fill(template, Form::Text, ANN).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
    let missing = |field: &str| {
        Err(TemplateError::Missing {
            field: field.to_owned(),
        })
    };
    for (template, field) in [
        ("{{ town | upper }}", "town"),
        ("{% if company %}{{town}}{% endif %}", "town"),
        ("{% for word in town|split %}x{% endfor %}", "town"),
        ("{{ choose(\"a\", town) }}", "town"),
        ("{{ choose([town, 3], [\"a\", 1]) }}", "town"),
    ] {
        assert_eq!(
            fill(template, Form::Text, ANN),
            missing(field),
            "{template}"
        );
    }
}

#[test]
fn a_statement_alone_on_its_line_takes_the_line_with_it() {
    for (template, expected) in [
        ("a\n{% if company %}\nb\n{% endif %}\nc\n", "a\nb\nc\n"),
        (
            "a\n  {% if town %}\n  b\n  {% else %}\n  d\n  {% endif %}\nc",
            "a\n  d\nc",
        ),
        (
            "a\n{% if company %}{% if town %}\nx\n{% endif %}{% endif %}\nc",
            "a\nc",
        ),
        ("Hi{% if company %} you{% endif %}\nc", "Hi you\nc"),
        ("{% if company %}x{% endif %}\nc", "x\nc"),
        ("a\n\n{% if town %}\nx\n\n{% endif %}\nc\n\n", "a\n\nc\n\n"),
        ("a\n{% if company %}\nb{% endif %}", "a\nb"),
        ("a {%- if company -%} b {%- endif %}", "ab"),
    ] {
        assert_eq!(
            fill(template, Form::Text, ANN).as_deref(),
            Ok(expected),
            "{template:?}"
        );
    }
}

#[test]
fn html_has_its_cells_escaped_and_nothing_switches_that_off() {
    let escaped = "Smith &amp; Söhne &lt;Ulm&gt;";
    for (template, expected) in [
        ("<b>{{company}}</b>", format!("<b>{escaped}</b>")),
        (
            "{{company | upper | lower | capitalize}}",
            escaped.replace("Söhne &lt;Ulm", "söhne &lt;ulm"),
        ),
        ("{% set x = company %}{{x}}", escaped.to_owned()),
        (
            "{% set x %}{{company}}{% endset %}{{x}}",
            escaped.to_owned(),
        ),
        ("{{ choose(company, company) }}", escaped.to_owned()),
        ("{{ company | escape }}", escaped.to_owned()),
        ("{{ town | default: \"<i>\" }}", "&lt;i&gt;".to_owned()),
    ] {
        assert_eq!(fill(template, Form::Html, ANN), Ok(expected), "{template}");
    }
    for template in [
        "{{ company | safe }}",
        "{% autoescape false %}{{company}}{% endautoescape %}",
        "{{ debug() }}",
        "{% include \"x\" %}",
    ] {
        assert!(Template::parse(template, Form::Html).is_err(), "{template}");
    }
}

#[test]
fn what_cannot_be_filled_is_refused_with_its_line_before_anybody_is_written_to() {
    for (template, words) in [
        ("a\n{% if company %}b", "line 2: "),
        ("a\nb\n{% endif %}", "line 3: "),
        (
            "a\n\n{{ first_name | upcase(1) }}",
            "line 3: {{ first_name | upcase(1) }} is no field",
        ),
        (
            "a\n{% if x|upcase %}b{% endif %}",
            "line 2: there is no filter upcase",
        ),
        (
            "a\n{% if get(x) %}b{% endif %}",
            "line 2: there is no function get",
        ),
        (
            "{% elsif x %}",
            "line 1: found {% elsif x %}, expected if, elif, else",
        ),
        (
            "{% assign x = 1 %}",
            "line 1: found {% assign x = 1 %}, expected",
        ),
        (
            "a {% if x",
            "line 1: a statement is opened with {% and not closed",
        ),
        (
            "a\n{{ choose(\"a\") }}",
            "line 2: choose chooses among two texts or more, found 1",
        ),
        (
            "{{ choose([\"a\", 0], \"b\") }}",
            "line 1: choose expects a weight of 1 to 1000",
        ),
        (
            "{{ choose([\"a\", 1, 2], \"b\") }}",
            "line 1: choose expects texts, or [text, weight]",
        ),
        (
            "a\n{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "line 2: this takes too long",
        ),
        (
            "{% set a = \"x\" * 999999999 %}",
            "line 1: this takes too long",
        ),
        ("{{ __cell_0 ~ \"x\" }}", "line 1: "),
    ] {
        let error = Template::parse(template, Form::Text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(words), "{template:?}: {error}");
    }
    let part = "x".repeat(OUTPUT_BYTES_MAX / 8);
    let long = format!("{{% for part in range(9) %}}{part}{{% endfor %}}");
    let error = Template::parse(&long, Form::Text).unwrap_err();
    let found = 9 * part.len();
    assert_eq!(error, TemplateError::Long { found });
    // Filled in one pass: what a cell holds is no template.
    let cell = [("a", "{{b}}{% if %}"), ("b", "x")];
    assert_eq!(
        fill("{{a}}", Form::Text, &cell).as_deref(),
        Ok("{{b}}{% if %}")
    );
}

#[test]
fn where_a_step_is_meant_as_it_stands_fields_alone_are_filled() {
    let text = "{% if x %} {first_name} {# {{first_name}}";
    let expected = "{% if x %} {first_name} {# Ann";
    assert_eq!(fill(text, Form::Literal, ANN).as_deref(), Ok(expected));
}

#[test]
fn a_lead_gets_the_same_alternative_at_every_attempt_and_leads_get_them_by_weight() {
    let template = "{{ choose([\"a\", 3], [\"b\", 1]) }}";
    let mut counts = BTreeMap::new();
    for number in 0..4_000 {
        let lead = format!("lea_{number}");
        let first = fill_for(template, Form::Text, ANN, &lead, 1).unwrap();
        assert_eq!(
            fill_for(template, Form::Text, &[], &lead, 1).unwrap(),
            first
        );
        *counts.entry(first).or_insert(0) += 1;
    }
    // 3,000 of 4,000, give or take five standard deviations of 27.
    let n_a = counts.get("a").copied().unwrap_or(0);
    assert!((2_863..=3_137).contains(&n_a), "{counts:?}");
    // What one lead gets is on record with its campaign: it stays over versions of the program.
    let ten: String = (0..10)
        .map(|number| fill_for(template, Form::Text, &[], &format!("lea_{number}"), 1).unwrap())
        .collect();
    assert_eq!(ten, TEN);
    // The same alternatives twice in a text are two choices, and those of text and HTML are one.
    let twice = "{{choose(\"a\", \"b\")}}".repeat(20);
    let text = fill(&twice, Form::Text, &[]).unwrap();
    assert!(text.contains('a') && text.contains('b'), "{text}");
    assert_eq!(fill(&twice, Form::Html, &[]).unwrap(), text);
    assert_ne!(fill_for(&twice, Form::Text, &[], "lea_1", 2).unwrap(), text);
}

/// Made by another program from the same words: the first eight bytes of SHA-256 of
/// `choice\n{lead}\n1\n1\n3 a\n1 b`, times four, over 2^64; below three is `a`.
const TEN: &str = "aabaaaaaba";

/// What strangers may hand in as a step: it is read within the time and the stack that there is, or refused.
#[test]
fn a_template_has_so_many_parts_and_keeps_no_list() {
    let doubled = |first: &str, more: &str| format!("{first}{}{{{{ a }}}}", more.repeat(30));
    let nested = format!("{}x{}", "{% if a %}".repeat(13), "{% endif %}".repeat(13));
    for (template, words) in [
        (
            format!("{{{{ \"a\"{} }}}}", "|upper".repeat(20_000)),
            "line 1: expected at most 400 words",
        ),
        (
            format!("{{% set a=1 %}}{{{{ a{} }}}}", ".b".repeat(20_000)),
            "line 1: expected at most 400 words",
        ),
        (
            format!("{{% set a=1 %}}{{{{ a{} }}}}", "[0]".repeat(20_000)),
            "line 1: expected at most 400 words",
        ),
        (
            format!("{{% if 0 %}}a{}{{% endif %}}", "{% elif 0 %}b".repeat(900)),
            "line 1: expected at most 100 elif",
        ),
        (
            "{{a}}\n".repeat(12_000),
            "line 1001: expected at most 1000 fields",
        ),
        (
            "x".repeat(300_000),
            "line 1: expected a text of at most 262144 bytes, found 300000",
        ),
        (nested, "line 1: expected at most 12 conditions"),
        (
            doubled("{% set a=[1]*1000 %}", "{% set a=a+a %}"),
            "line 1: lists are neither added",
        ),
        (
            doubled("{% set a=[1] %}", "{% set a=[a,a] %}"),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a=1,2 %}", "{% set a=(a,a) %}"),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a=(1,2) %}", ""),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a={\"b\": 1} %}", ""),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a=x|split %}", "{% set a=a+a %}"),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a=x|split or x|upper %}", ""),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a=x|default([1]) %}", ""),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a=[[1]]|first %}", ""),
            "line 1: a list is not kept",
        ),
        (
            doubled("{% set a=range(9) %}", ""),
            "line 1: a list is not kept",
        ),
        (
            "{% for a in [1]*1000*1000*1000*1000 %}{% endfor %}".to_owned(),
            "line 1: lists are neither added",
        ),
        (
            "{% for a in [[1]] %}\n{{ (a*1000*1000*1000)|join }}{% endfor %}".to_owned(),
            "line 2: a list of lists and + or *",
        ),
        ("{{ x|split }}".to_owned(), "line 1: a sequence is no text"),
    ] {
        let shown: String = template.chars().take(80).collect();
        let error = Template::parse(&template, Form::Text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(words), "{shown}: {error}");
    }
    for (template, expected) in [
        ("{% set first = company|split|first %}{{first}}", "Smith"),
        (
            "{% set is_near = first_name in [\"Ann\", \"Bob\"] %}{% if is_near %}near{% endif %}",
            "near",
        ),
        (
            "{% set hi = choose([\"Hi\", 1], [\"Hi\", 3]) %}{{hi}}",
            "Hi",
        ),
        (
            "{% for day in [\"Mon\", \"Tue\"] %}{{loop.index + 1}}{{day}}{% endfor %}",
            "2Mon3Tue",
        ),
        (
            "{% for word in company|split %}{{loop.index * 2}}{% endfor %}",
            "2468",
        ),
        (
            "{% set all = company|split|join(\"-\") %}{{all}}",
            "Smith-&-Söhne-<Ulm>",
        ),
        ("{% for n in range(3) %}{{n}}{% endfor %}", "012"),
        ("{% set a = 1 + 2 %}{{a}}", "3"),
        ("{% set a %}b{% endset %}{{a}}", "b"),
    ] {
        assert_eq!(
            fill(template, Form::Text, ANN).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
}
