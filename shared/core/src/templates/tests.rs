//! The rules of the language, one row each: name, template, data, what is printed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{MAX_DEPTH, MAX_OUTPUT_BYTES, Template, TemplateError, check, render};

type Row = (&'static str, &'static str, Value, &'static str);

fn assert_rows(rows: &[Row]) {
    for (name, template, data, expected) in rows {
        assert_eq!(render(template, data).unwrap(), *expected, "{name}");
    }
}

#[test]
fn prints_values() {
    assert_rows(&[
        ("no tags", "just {text} here}}\n", json!({}), "just {text} here}}\n"),
        ("empty template", "", json!({}), ""),
        ("a value", "Dear {{who}},", json!({"who": "Ada"}), "Dear Ada,"),
        ("never escaped", "{{v}}|{{{v}}}|{{&v}}", json!({"v": "A&B<\"'/`="}), "A&B<\"'/`=|A&B<\"'/`=|A&B<\"'/`="),
        ("data is not a template", "{{v}}", json!({"v": "{{w}}", "w": "no"}), "{{w}}"),
        ("unknown name", "[{{gone}}{{{gone}}}{{&gone}}]", json!({}), "[]"),
        ("null", "[{{v}}]", json!({"v": null}), "[]"),
        ("padding", "{{ v }}{{{ v }}}{{& v }}{{\n\tv\n}}", json!({"v": 7}), "7777"),
        ("space before the sign", "{{ # v }}{{ & . }}{{ / v }}", json!({"v": "x"}), "x"),
        ("spaces around stay", " {{v}}\t{{v}} \n", json!({"v": "x"}), " x\tx \n"),
        ("alone on a line, still a line", "  {{v}}\n", json!({"v": "x"}), "  x\n"),
        ("alone and empty, still a line", "a\n{{v}}\nb", json!({}), "a\n\nb"),
        ("letters of any script", "{{größe}}→{{名}}", json!({"größe": "ß", "名": "字"}), "ß→字"),
        ("a space inside a name", "{{first name}}", json!({"first name": "Ada"}), "Ada"),
        ("an empty tag", "[{{}}]", json!({}), "[]"),
    ]);
}

#[test]
fn prints_numbers_booleans_and_containers_as_json() {
    assert_rows(&[
        ("integers", "{{a}} {{b}}", json!({"a": 85, "b": -3}), "85 -3"),
        ("decimals", "{{a}} {{b}}", json!({"a": 1.21, "b": 2.0}), "1.21 2.0"),
        ("large integers", "{{a}}", json!({"a": u64::MAX}), "18446744073709551615"),
        ("booleans", "{{a}} {{b}}", json!({"a": true, "b": false}), "true false"),
        ("an array", "{{a}}", json!({"a": [1, "x", null, {"b": []}]}), r#"[1,"x",null,{"b":[]}]"#),
        ("an object, in its order", "{{a}}", json!({"a": {"z": 1, "b": "<&>"}}), r#"{"z":1,"b":"<&>"}"#),
        ("only own members", "{{constructor}}{{toString}}{{a.hasOwnProperty}}", json!({"a": {}}), ""),
    ]);
}

#[test]
fn follows_dotted_names() {
    let outer = json!({"a": {"b": {"c": "deep"}}, "c": "top", "x.y": "whole"});
    assert_rows(&[
        ("a path", "{{a.b.c}} {{{a.b.c}}} {{&a.b.c}}", outer.clone(), "deep deep deep"),
        ("a broken path", "[{{a.x.c}}{{a.b.c.d}}{{q.c}}]", outer.clone(), "[]"),
        ("later parts do not search outwards", "[{{a.c}}]", outer.clone(), "[]"),
        ("a dotted member is never one name", "[{{x.y}}]", outer.clone(), "[]"),
        ("the first part searches outwards", "{{#a}}{{a.b.c}}{{/a}}", outer, "deep"),
        (
            "the innermost first part decides",
            "[{{#in}}{{p.q}}{{/in}}]",
            json!({"in": {"p": {}}, "p": {"q": "outer"}}),
            "[]",
        ),
        ("in a section", "{{#a.b}}{{c}}{{/a.b}}", json!({"a": {"b": {"c": 1}}}), "1"),
        ("in an inverted section", "{{^a.b}}none{{/a.b}}", json!({"a": {}}), "none"),
    ]);
}

#[test]
fn reads_arrays_by_index_and_length() {
    assert_rows(&[
        ("an array as data", "{{0}}{{1}}{{2}} of {{length}}", json!(["a", "b"]), "ab of 2"),
        ("inside a member", "{{items.1.name}}/{{items.length}}", json!({"items": [{}, {"name": "n"}]}), "n/2"),
        ("a path from an array", "{{0.name}}", json!([{"name": "n"}]), "n"),
        ("other spellings of an index", "[{{00}}{{+0}}{{-1}}{{0x0}}]", json!(["a"]), "[]"),
        ("nothing inside a length", "[{{length.length}}]", json!([1]), "[]"),
        ("a section on the length", "{{#v.length}}{{.}} in {{v}}{{/v.length}}", json!({"v": [1]}), "1 in [1]"),
        ("an empty array's length", "{{^v.length}}none{{/v.length}}", json!({"v": []}), "none"),
        ("a member called length", "{{v.length}}", json!({"v": {"length": "own"}}), "own"),
        ("a string's length", "{{v.length}}", json!({"v": "aß"}), "2"),
        ("digits name members too", "{{0}}", json!({"0": "zero"}), "zero"),
    ]);
}

#[test]
fn accepts_any_data() {
    assert_rows(&[
        ("null", "[{{a}}{{.}}{{a.b}}{{#a}}x{{/a}}{{^a}}y{{/a}}]", Value::Null, "[y]"),
        ("a number", "{{.}}{{a}}", json!(5), "5"),
        ("a string", "{{.}}{{#.}}!{{/.}}", json!("x"), "x!"),
        ("a boolean", "{{.}}", json!(false), "false"),
        ("an object as itself", "{{.}}", json!({"a": 1}), r#"{"a":1}"#),
        ("an array as a list", "{{#.}}({{.}}){{/.}}", json!([1, "b"]), "(1)(b)"),
    ]);
}

#[test]
fn repeats_and_omits_sections() {
    let falsy = json!({"list": [false, null, 0, 0.0, -0.0, "", []]});
    for value in falsy["list"].as_array().unwrap() {
        let data = json!({"v": value});
        assert_eq!(render("{{#v}}yes{{/v}}{{^v}}no{{/v}}", &data).unwrap(), "no", "{value}");
    }
    for value in [json!(true), json!(1), json!(-0.5), json!("0"), json!(" "), json!([0]), json!({})] {
        let data = json!({"v": value});
        assert_eq!(render("{{#v}}yes{{/v}}{{^v}}no{{/v}}", &data).unwrap(), "yes", "{value}");
    }
    assert_rows(&[
        ("missing", "{{#v}}yes{{/v}}{{^v}}no{{/v}}", json!({}), "no"),
        ("an object becomes the context", "{{#p}}{{n}}{{/p}}", json!({"p": {"n": "Jo"}, "n": "no"}), "Jo"),
        ("a string becomes the context", "{{#v}}{{.}} is {{v}}{{/v}}", json!({"v": "bar"}), "bar is bar"),
        ("a number becomes the context", "{{#v}}{{.}}{{/v}}", json!({"v": 3}), "3"),
        ("a list repeats", "{{#v}}{{n}},{{/v}}", json!({"v": [{"n": 1}, {"n": 2}]}), "1,2,"),
        ("a list of values", "{{#v}}({{.}}){{/v}}", json!({"v": ["&", 1.5, true, null]}), "(&)(1.5)(true)()"),
        ("a list of lists", "{{#v}}[{{#.}}{{.}}{{/.}}]{{/v}}", json!({"v": [[1, 2], ["a"]]}), "[12][a]"),
        ("inverted keeps the context", "{{^v}}{{n}}{{/v}}", json!({"n": 1}), "1"),
        ("twice in a row", "{{#v}}1{{/v}}-{{#v}}2{{/v}}", json!({"v": true}), "1-2"),
        ("inside itself", "{{#v}}a{{#v}}b{{/v}}c{{/v}}", json!({"v": true}), "abc"),
        ("inside itself, omitted", "|{{#v}}a{{#v}}b{{/v}}c{{/v}}|", json!({"v": false}), "||"),
        ("inverted inside itself", "{{^v}}a{{^v}}b{{/v}}c{{/v}}", json!({"v": false}), "abc"),
        ("padding in the tags", "{{# v }}={{/ v }}{{^ w }}!{{/ w }}", json!({"v": 1}), "=!"),
    ]);
}

#[test]
fn searches_contexts_from_the_inside_out() {
    assert_rows(&[
        (
            "outer names stay visible",
            "{{#a}}{{#b}}{{x}}{{y}}{{z}}{{/b}}{{/a}}",
            json!({"x": 1, "a": {"y": 2, "b": {"z": 3}}}),
            "123",
        ),
        ("inner names hide outer ones", "{{#a}}{{x}}{{/a}}{{x}}", json!({"x": 1, "a": {"x": 2}}), "21"),
        ("a null hides too", "[{{#a}}{{x}}{{/a}}]", json!({"x": 1, "a": {"x": null}}), "[]"),
        (
            "across lists",
            "{{#rows}}{{#cells}}{{r}}{{c}} {{/cells}}{{/rows}}",
            json!({"rows": [{"r": "a", "cells": [{"c": 1}, {"c": 2}]}, {"r": "b", "cells": [{"c": 3}]}]}),
            "a1 a2 b3 ",
        ),
    ]);
}

#[test]
fn drops_lines_that_hold_only_tags() {
    let yes = || json!({"v": true});
    assert_rows(&[
        ("section tags", "a\n{{#v}}\nb\n{{/v}}\nc\n", yes(), "a\nb\nc\n"),
        ("indented", "a\n  {{#v}}\n  b\n\t{{/v}}  \nc\n", yes(), "a\n  b\nc\n"),
        ("inverted", "a\n {{^w}}\nb\n {{/w}}\nc\n", yes(), "a\nb\nc\n"),
        ("CRLF", "a\r\n{{#v}}\r\nb\r\n{{/v}}\r\nc", yes(), "a\r\nb\r\nc"),
        ("first line", "  {{#v}}\nb{{/v}}\n/", yes(), "b\n/"),
        ("last line without a break", "a{{#v}}\n/\n  {{/v}}", yes(), "a\n/\n"),
        ("omitted section", "a\n{{#w}}\nb\n{{/w}}\nc", yes(), "a\nc"),
        ("text beside the tag", " x {{#v}}\nb\n{{/v}} y\n", yes(), " x \nb\n y\n"),
        ("a value beside the tag", "{{#v}}{{x}}\n{{/v}}\n", json!({"v": {"x": 1}}), "1\n"),
        ("section on one line", " {{#v}}b{{/v}}\n {{#v}}c{{/v}}\n", yes(), " b\n c\n"),
        ("several tags on a line", "a\n{{#v}} {{! note }} {{#v}}\nb\n{{/v}}{{/v}}\nc", yes(), "a\nb\nc"),
        ("blank lines around stay", "a\n\n{{#v}}\n\nb\n{{/v}}\n\nc", yes(), "a\n\n\nb\n\nc"),
        ("comment", "a\n  {{! note }}\nb", yes(), "a\nb"),
        ("comment, CRLF", "a\r\n{{! note }}\r\nb", yes(), "a\r\nb"),
        ("comment over several lines", "a\n  {{!\n    note\n  }}\nb", yes(), "a\nb"),
        ("delimiters", "a\n {{=@ @=}}\nb", yes(), "a\nb"),
        ("delimiters on the last line", "a\n  {{=@ @=}}", yes(), "a\n"),
        ("partial", "a\n  {{> p }}\nb", yes(), "a\nb"),
        ("nothing but a tag", "{{! note }}", yes(), ""),
    ]);
}

#[test]
fn leaves_comments_out() {
    assert_rows(&[
        ("inline", "12{{! note }}34", json!({}), "1234"),
        ("several lines", "12{{!\n  a\n  b\n}}34\n", json!({}), "1234\n"),
        ("spaces around stay", "1 {{! note }} 2", json!({}), "1  2"),
        ("indented after text", "  1 {{! note }}\n", json!({}), "  1 \n"),
        ("never a name", "[{{! v }}{{!v}}]", json!({"v": 1, "! v": 2, "!v": 3}), "[]"),
        ("tag-like content", "{{! {{#v }}x", json!({}), "x"),
    ]);
}

#[test]
fn changes_delimiters() {
    assert_rows(&[
        ("a pair", "{{=<% %>=}}(<%v%>){{v}}", json!({"v": 1}), "(1){{v}}"),
        ("one character each", "({{=[ ]=}}[v])", json!({"v": 1}), "(1)"),
        ("the same on both sides", "{{=| |=}}|v|", json!({"v": 1}), "1"),
        ("padding", "|{{=  @ \n  @  =}}|@ v @|", json!({"v": 1}), "||1|"),
        ("and back", "{{=<% %>=}}<%v%><%={{ }}=%>{{v}}<%v%>", json!({"v": 1}), "11<%v%>"),
        ("inside a section and beyond", "{{#v}}{{=| |=}}|n||/v||n|{{n}}", json!({"v": {"n": 1}, "n": 2}), "12{{n}}"),
        ("in a section that is omitted", "{{#w}}{{=| |=}}|/w||v|", json!({"v": 1}), "1"),
        ("an equals sign within", "{{=<%= %>=}}<%=v%>", json!({"v": 1}), "1"),
        ("other kinds of tags", "{{=< >=}}<#v><.><{v}><&v></v><! n><^v>x</v>", json!({"v": "a"}), "aaa"),
        ("on the line of text", " | {{=@ @=}}\n", json!({}), " | \n"),
    ]);
}

#[test]
fn leaves_partials_empty() {
    assert_rows(&[
        ("inline", "[{{>p}}{{> p }}]", json!({"p": "x"}), "[]"),
        ("inside a section", "{{#v}}{{>p}}{{/v}}", json!({"v": [1, 2]}), ""),
        ("spaces around stay", "a {{>p}} b", json!({}), "a  b"),
        ("with other delimiters", "{{=| |=}}[|>p|]", json!({}), "[]"),
    ]);
}

#[test]
fn explains_what_is_wrong_and_where() {
    let rows = [
        ("a\nb {{name", "line 2: this tag is never closed"),
        ("{{{name}}", "line 1: this tag is never closed"),
        ("{{! note", "line 1: this tag is never closed"),
        ("{{=| |=}}\n{{v}}\n|v", "line 3: this tag is never closed"),
        ("{{#a}}\n\n{{#items}}\n{{n}}", "line 3: section \"items\" is never closed"),
        ("{{^a}}", "line 1: section \"a\" is never closed"),
        ("a\r\n{{/a}}", "line 2: section \"a\" is closed here but was never opened"),
        ("{{#a}}\n{{#b}}\n{{/a}}\n{{/b}}", "line 3: section \"a\" is closed here, but \"b\" from line 2 is still open"),
        ("x\n{{=|=}}", "line 2: a delimiter change needs two delimiters, as in {{=<% %>=}}"),
        ("{{=a b c=}}", "line 1: a delimiter change needs two delimiters, as in {{=<% %>=}}"),
        ("{{=<% %>}}", "line 1: a delimiter change needs two delimiters, as in {{=<% %>=}}"),
    ];
    for (template, message) in rows {
        assert_eq!(check(template).unwrap_err().to_string(), message, "{template}");
        assert_eq!(render(template, &Value::Null).unwrap_err().to_string(), message, "{template}");
    }
    assert_eq!(check("{{#a}}{{.}}{{/a}}"), Ok(()));
}

#[test]
fn shortens_long_names_in_messages() {
    let message = check(&format!("{{{{#{}}}}}", "ß".repeat(10_000))).unwrap_err().to_string();
    assert!(message.chars().count() < 150, "{message}");
}

#[test]
fn parses_once_and_renders_often() {
    let template = Template::parse("{{a}}").unwrap();
    assert_eq!(template.render(&json!({"a": 1})).unwrap(), "1");
    assert_eq!(template.render(&json!({"a": 2})).unwrap(), "2");
}

#[test]
fn limits_the_depth_of_sections() {
    let nested = |depth: usize| format!("{}{}", "{{#v}}".repeat(depth), "{{/v}}".repeat(depth));
    assert_eq!(render(&nested(MAX_DEPTH), &json!({"v": 1})), Ok(String::new()));
    assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(TemplateError::TooDeep { line: 1 }));
    assert_eq!(check(&nested(100_000)), Err(TemplateError::TooDeep { line: 1 }));
    assert_eq!(check(&"{{#v}}\n".repeat(100_000)), Err(TemplateError::TooDeep { line: MAX_DEPTH + 1 }));
}

#[test]
fn gives_up_on_sections_that_repeat_beyond_all_measure() {
    let nested = |depth: usize, body: &str| format!("{}{body}{}", "{{#v}}".repeat(depth), "{{/v}}".repeat(depth));
    let ten = json!({"v": vec![1; 10]});
    assert_eq!(render(&nested(4, "x"), &ten).map(|text| text.len()), Ok(10_000));
    for body in ["x", "", "{{! nothing }}", "{{^v}}x{{/v}}", "{{gone}}"] {
        assert_eq!(render(&nested(MAX_DEPTH - 1, body), &ten), Err(TemplateError::Endless), "{body}");
    }
    // Long texts, names and searches count as what they cost.
    let long = "n".repeat(100_000);
    let rows = json!({"v": vec![1; 1000], "s": long, "o": {&long: 1}});
    for body in ["{{s}}", "{{o}}", "{{s.length}}", &*format!("{{{{{long}}}}}"), &*format!("{{{{o.{long}}}}}")] {
        assert_eq!(render(&nested(2, body), &rows), Err(TemplateError::Endless), "{}", &body[..8]);
    }
}

#[test]
fn prints_up_to_the_longest_text() {
    let rows = json!({"v": vec![1; MAX_OUTPUT_BYTES >> 20], "s": "x".repeat(1 << 20)});
    assert_eq!(render("{{#v}}{{s}}{{/v}}", &rows).map(|text| text.len()), Ok(MAX_OUTPUT_BYTES));
    assert_eq!(render("{{#v}}{{s}}{{/v}}.", &rows), Err(TemplateError::Endless));
}

#[test]
fn parses_large_templates_in_linear_time() {
    const SIZE: usize = 1_000_000;
    let units =
        ["\n", " ", "{", "{{", "}}", "{{a}}", "{{!}}\n", "{{#a}}{{/a}}", "{{=| |=}}|={{ }}=|", "{{ \n", "a.", "ß"];
    let started = Instant::now();
    for unit in units {
        // Some of these are broken: failing has to be quick too.
        check(&unit.repeat(SIZE / unit.len())).ok();
        check(&format!("{{{{{}}}}}", unit.repeat(SIZE / unit.len()))).ok();
        check(&format!("{{{{={} x=}}}}{}", "y".repeat(SIZE / 2), unit.repeat(SIZE / unit.len()))).ok();
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
