//! What other tools would replace, and what people write that only looks so: a table for each bound.

use super::*;

mod sets;

fn columns() -> Vec<String> {
    ["email", "first_name", "company", "opening line"]
        .map(str::to_owned)
        .to_vec()
}

#[test]
fn markers_of_other_tools_are_found_by_their_form() {
    let mut wrong = Vec::new();
    for (text, found) in [
        // Alternatives
        ("{Hi|Hello} Ann", "{Hi|Hello}"),
        ("A {quick|short|} question", "{quick|short|}"),
        ("{Hi {there|you}|Hello} Ann", "{Hi {there|you}|Hello}"),
        ("{Hi {{first_name}}|Hello}", "{Hi {{first_name}}|Hello}"),
        (
            "{Hope you are well,\nAnn.|Good morning}",
            "{Hope you are well, Ann.|Good morning}",
        ),
        ("[Hi|Hello] Ann", "[Hi|Hello]"),
        // Names in brackets
        ("Hi [First Name],", "[First Name]"),
        ("Hi [FIRST_NAME],", "[FIRST_NAME]"),
        ("Hi [firstname],", "[firstname]"),
        ("Hi [name|there],", "[name|there]"),
        ("at [Company]", "[Company]"),
        ("at [Your Company]", "[Your Company]"),
        ("see [insert link here]", "[insert link here]"),
        ("see [pain_point]", "[pain_point]"),
        ("Hi [[First Name]],", "[[First Name]]"),
        ("Hi [-NAME-],", "[-NAME-]"),
        ("Hallo [Vorname],", "[Vorname]"),
        ("Bonjour [Prénom],", "[Prénom]"),
        ("Hola [Nombre],", "[Nombre]"),
        ("Ciao [Nome],", "[Nome]"),
        ("【姓名】您好", "【姓名】"),
        ("［名前］様", "［名前］"),
        // In braces
        ("Hi {first_name},", "{first_name}"),
        ("Hi {FirstName},", "{FirstName}"),
        ("Hi {First Name},", "{First Name}"),
        ("Hi { first_name },", "{ first_name }"),
        ("Hi {contact.first_name},", "{contact.first_name}"),
        ("Hi {name:there},", "{name:there}"),
        ("see {industry_pain_point}", "{industry_pain_point}"),
        ("about {topic}", "{topic}"),
        ("Hi {$name}", "{$name}"),
        ("Hi {!Contact.FirstName}", "{!Contact.FirstName}"),
        ("Hi ${firstName}", "${firstName}"),
        ("Hi #{name}", "#{name}"),
        ("Hi ｛姓名｝", "｛姓名｝"),
        ("[% name %]", "[% name %]"),
        // By signs
        ("Hi *|FNAME|*,", "*|FNAME|*"),
        ("*|IF:COMPANY|*", "*|IF:COMPANY|*"),
        ("Hi %FIRSTNAME%,", "%FIRSTNAME%"),
        ("Hi %first_name%,", "%first_name%"),
        ("Hi %%First Name%%,", "%%First Name%%"),
        ("Hi %recipient.name%,", "%recipient.name%"),
        ("https://a.example/?n=%NAME%", "%NAME%"),
        ("Hi %(name)s", "%(name)s"),
        ("%%=v(@name)=%%", "%%=v(@name)=%%"),
        ("Hi <<First>>,", "<<First>>"),
        ("Hi <<First Name>>,", "<<First Name>>"),
        ("Hi «First Name»,", "«First Name»"),
        ("Hi <first_name>,", "<first_name>"),
        ("Hi <Name>,", "<Name>"),
        ("Hi <%= name %>,", "<%= name %>"),
        ("Hi <?= $name ?>,", "<?= $name ?>"),
        ("Hi $name$,", "$name$"),
        ("Hi $first_name,", "$first_name"),
        ("Hi $name,", "$name"),
        ("Hi #NAME#,", "#NAME#"),
        ("Hi ##first_name##,", "##first_name##"),
        ("Hi -name-,", "-name-"),
        ("Hi --Company--", "--Company--"),
        ("Hi ~name~,", "~name~"),
        ("Hi @name@,", "@name@"),
        ("Hi @Model.FirstName,", "@Model.FirstName"),
        ("Hi __first_name__,", "__first_name__"),
        ("Hi _first_name_,", "_first_name_"),
        ("Hi *First Name*,", "*First Name*"),
        ("Hi ((name)),", "((name))"),
        ("Hi :name:,", ":name:"),
        ("Hi |FNAME|,", "|FNAME|"),
        ("Hi FIRST_NAME,", "FIRST_NAME"),
        ("Hi FirstName,", "FirstName"),
        ("Hi first_name,", "first_name"),
        ("Hi [First],", "[First]"),
        ("on [DATE]", "[DATE]"),
        ("see [link]", "[link]"),
        ("Hi [Recipient's Name],", "[Recipient's Name]"),
        ("[if company]x[/if]", "[if company]"),
        ("Hi __NAME__,", "__NAME__"),
        ("Hi %FIRSTNAME|there%,", "%FIRSTNAME|there%"),
        ("Hi ${contact.name!''},", "{contact.name!''}"),
        ("Hi |*FNAME*|,", "|*FNAME*|"),
        ("Hi (FirstName),", "(FirstName)"),
        ("Hi {FNAME},", "{FNAME}"),
        ("Hi {first_name}},", "{first_name}"),
        ("Hi :first_name,", "first_name"),
        ("Hi {-first_name-},", "{-first_name-}"),
        ("Hi @@first_name@@,", "@@first_name@@"),
        ("Hi <%FIRSTNAME%>,", "<%FIRSTNAME%>"),
        ("Dzień dobry [Imię],", "[Imię]"),
        ("Здравствуйте, {имя}!", "{имя}"),
        // HTML
        ("<p>Hi Ann</p>", "<p>"),
        ("Hi Ann,<br>I saw", "<br>"),
        ("Hi Ann,<br/>I saw", "<br/>"),
        (
            "<a href=\"https://a.example\">here</a>",
            "<a href=\"https://a.example\">",
        ),
        ("<b>now</b>", "<b>"),
        ("Hi&nbsp;Ann", "&nbsp;"),
        ("J&ouml;rg", "&ouml;"),
        ("It&#39;s", "&#39;"),
        ("<!-- x -->", "<!-- x -->"),
    ] {
        let marker = find(text, &[]);
        let shown = marker.as_ref().map(|marker| marker.found.as_str());
        if shown != Some(found) {
            wrong.push(format!("{text}: {shown:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ordinary_writing_is_no_marker() {
    let mut wrong = Vec::new();
    for text in [
        "Hi {{first_name}}, how is {{company | default: \"business\"}}?",
        "It costs [5 EUR] a month, or {5 EUR}.",
        "As shown in [1] and [2, 3].",
        "He said [sic] that [...] it works […].",
        "jane [at] acme [dot] example",
        "[x] done, [ ] open, [Update] [PDF] [External]",
        "See [our page](https://a.example).",
        "Hi [Ann],",
        "{\"name\": \"Ann\", \"tags\": [\"a\", \"b\"], \"o\": {\"c\": {}}}",
        "{ \"name\": \"a|b\" }",
        "if (a) { return b; } else { c(); }",
        "import { useState } from \"react\"",
        "const f = () => { return x };",
        "p { color: red } body{margin:0}",
        "{ name: \"Ann\" } and {}",
        "let a = b[i] + names[0];",
        "\\textbf{word} and $x$ and x_{i}",
        "a|b, yes|no, a || b, [y|n]",
        "100% sure, 50% off and 20% more, 5 % of 10 %",
        "C# and F#, #1, #hashtag #name, issue #12#",
        "It costs $5 or $100k, US$ 20, $x",
        "*important* and _please_, **now**, ~5 of ~10, *company*",
        "-- \nJane",
        "a - b - c, state-of-the-art, 10-name-12",
        "<jane@acme.example> and a < b > c, I <3 it, x -> y",
        "Use the <div> element; Vec<name> too",
        "https://a.example/?first_name=x&copy=1&b=%C3%A4%20name%20%E2%82%AC",
        "R&D; AT&T; salt&pepper; Q&A",
        "cout << x >> y; 1 << 2",
        "« Bonjour » et «Компания растёт» und »so«",
        "At 10:30: name it; see 12:name:13",
        "(name) (first name, company) (see above)",
        "Write to name@company.example or @acme",
        "I read your title, your name and your company's city.",
        "LinkedIn, YouTube, FullContact, iPhone, GmbH, snake_case, MAX_VALUE",
        "| name | company |\n|---|---|\n| Ann | A |",
        "{x} {} ${} {1,2}",
        "She wrote: \"[Company news] is out\"",
        "!important! ^up^ =so= +1+ :smile: :) ;-} :-{",
        "a_b_c __init__ __main__ _x_",
        "Use the <title> and <link> elements",
        "[if you like] or [else]",
        "first, last, and the link: see below",
        "the address (a link) of -x- and :date",
        "„Anführung“, ‚so‘, 5´, 6 × 7 = 42",
        "",
        "{",
        "[",
        "$",
        "%%",
        "@",
        "***",
        "<",
        "&",
        "{{",
        "*|",
    ] {
        for columns in [&[][..], &["email".to_owned(), "subject".to_owned()]] {
            if let Some(marker) = find(text, columns) {
                wrong.push(format!("{text}: {}", marker.found));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_column_of_the_list_in_any_brackets_is_found() {
    for (text, found) in [
        ("[Opening line]", "[Opening line]"),
        ("[OPENING LINE]", "[OPENING LINE]"),
        ("{ opening line }", "{ opening line }"),
        ("<opening line>", "<opening line>"),
        ("~Opening Line~", "~Opening Line~"),
        ("*opening line*", "*opening line*"),
        ("«Opening Line»", "«Opening Line»"),
    ] {
        let marker = find(text, &columns()).unwrap();
        let kind = Kind::Field("opening line".to_owned());
        assert_eq!(
            (marker.found.as_str(), &marker.kind),
            (found, &kind),
            "{text}"
        );
    }
    assert_eq!(find("[Opening line] *opening line*", &[]), None);
}

#[test]
fn a_refusal_says_where_it_is_and_what_to_write() {
    for (text, words) in [
        (
            "Hi Ann,\n\nat [Company Name] I saw",
            "line 3: \"[Company Name]\" would be sent as it stands: write {{company_name}} for the cell of that column; where that is meant, set literal = true for this step",
        ),
        ("Hi *|FNAME|*", "write {{fname}}"),
        ("Hi {contact.first_name}", "write {{first_name}}"),
        ("Hi [First Name]", "write {{first_name}}"),
        ("Hi [insert your name here]", "write {{name}}"),
        (
            "{Hi|Hello}",
            "write {{choose(\"Hi\", \"Hello\")}} for one of several",
        ),
        (
            "[% if x %]",
            "write {% if company %}at {{company}}{% endif %}",
        ),
        ("<b>x</b>", "this part is plain text"),
    ] {
        let told = find(text, &columns()).unwrap().to_string();
        assert!(told.contains(words), "{text}: {told}");
    }
}

#[test]
fn what_is_between_our_own_signs_is_looked_through_and_they_are_not() {
    for (text, found) in [
        ("{% if company %}x{% endif %}", None),
        ("{{ choose(\"[First Name]\", \"b\") }}", None),
        (
            "{% if company %}Hi [First Name]{% endif %}",
            Some("[First Name]"),
        ),
        ("{% if company %}{Hi|Hello}{% endif %}", Some("{Hi|Hello}")),
    ] {
        let marker = find(text, &columns());
        assert_eq!(
            marker.map(|marker| marker.found).as_deref(),
            found,
            "{text}"
        );
    }
}

#[test]
fn html_is_looked_through_for_the_markers_that_its_text_has() {
    for (html, found) in [
        (
            "<style>a { color: red } .b{first_name}</style><p>Hi {{first_name}}</p>",
            None,
        ),
        (
            "<!-- [First Name] --><p class=\"{x}\">&nbsp;&amp;</p>",
            None,
        ),
        ("<STYLE>{first_name}</STYLE><p>5 &lt; 6 & 7</p>", None),
        ("<p>Hi\n[First Name]</p>", Some((2, "[First Name]"))),
        (
            "<p>{Hi|Hello} <b>{{first_name}}</b></p>",
            Some((1, "{Hi|Hello}")),
        ),
        ("<p>*|FNAME|*</p>", Some((1, "*|FNAME|*"))),
    ] {
        let masked = mask_html(html);
        assert_eq!(masked.chars().count(), html.chars().count(), "{masked}");
        let marker = find(&masked, &columns());
        let marker = marker
            .as_ref()
            .map(|marker| (marker.line, marker.found.as_str()));
        assert_eq!(marker, found, "{html}: {masked}");
    }
}
