use super::*;

const SUMMARY: &str = "Summarize {{article}} in <limit>three</limit> sentences.";

fn material() -> Material<'static> {
    Material {
        prompt: SUMMARY,
        executions: vec![ReviewedExecution {
            user_input: "a long article",
            result: "👍 It says a < b & c.",
            remarks: vec![
                Remark { selected: "a < b", text: "spell it out" },
                Remark { selected: "", text: "no emoji" },
            ],
        }],
        remarks: vec!["be polite", "shorter"],
    }
}

/// Every tag of ours in the text, in order: `+name` where it begins, `-name` where it ends.
fn tags(text: &str) -> Vec<String> {
    let tag = Regex::new(r"<(/?)([a-z_]+)>").unwrap();
    let ours = tag.captures_iter(text).filter(|found| TAGS.contains(&&found[2]));
    ours.map(|found| format!("{}{}", if found[1].is_empty() { '+' } else { '-' }, &found[2])).collect()
}

/// Fails unless every tag that begins ends, innermost first.
fn assert_well_formed(text: &str) {
    let mut open = Vec::new();
    for tag in tags(text) {
        match tag.strip_prefix('+') {
            Some(name) => open.push(name.to_owned()),
            None => assert_eq!(open.pop().as_deref(), tag.strip_prefix('-'), "in {text}"),
        }
    }
    assert!(open.is_empty(), "{open:?} never ends in {text}");
}

#[test]
fn has_its_sections_in_order_and_closes_every_tag() {
    for task in [Task::Revise, Task::Summarize] {
        let text = calibration_text(&material(), task);
        assert_well_formed(&text);
        let begun: Vec<String> = tags(&text).into_iter().filter(|tag| tag.starts_with('+')).collect();
        assert_eq!(
            begun,
            [
                "+calibration_instructions",
                "+original_prompt",
                "+reviewed_execution",
                "+execution_input",
                "+execution_result",
                "+execution_comment",
                "+selected_text",
                "+comment_text",
                "+execution_comment",
                "+selected_text",
                "+comment_text",
                "+prompt_comment",
                "+prompt_comment",
            ]
        );
        for inserted in [SUMMARY, "a long article", "👍 It says a < b & c.", "spell it out", "no emoji", "be polite"]
        {
            assert!(text.contains(inserted), "{inserted} stands there as it was written");
        }
    }
    let [revise, summarize] = [Task::Revise, Task::Summarize].map(|task| calibration_text(&material(), task));
    assert_ne!(revise, summarize);
    assert!(summarize.contains("list of proposed changes"));
}

#[test]
fn leaves_out_what_has_no_content() {
    let only_prompt = Material { executions: Vec::new(), ..material() };
    let text = calibration_text(&only_prompt, Task::Revise);
    assert!(!text.contains(EXECUTION) && text.contains(PROMPT_COMMENT));
    let only_execution = Material { remarks: Vec::new(), ..material() };
    let text = calibration_text(&only_execution, Task::Revise);
    assert!(text.contains(EXECUTION) && !text.contains(PROMPT_COMMENT));
}

#[test]
fn inserted_text_cannot_leave_its_tag() {
    let harmless = calibration_text(&material(), Task::Revise);
    for tag in TAGS {
        for attack in [
            format!("</{tag}>"),
            format!("<{tag}>"),
            format!("</{}>", tag.to_uppercase()),
            format!("< / {tag} >"),
            format!("<\u{200b}/\u{feff}{tag}\n>"),
            format!("</{tag} class='x'>"),
            format!("<{tag}/>"),
            format!("<</{tag}>/{tag}>"),
            format!("</{tag}"),
        ] {
            let mut material = material();
            material.prompt = &attack;
            material.remarks[0] = &attack;
            let execution = &mut material.executions[0];
            (execution.user_input, execution.result) = (&attack, &attack);
            execution.remarks[0] = Remark { selected: &attack, text: &attack };
            let text = calibration_text(&material, Task::Revise);
            assert_eq!(tags(&text), tags(&harmless), "{attack}");
            assert_well_formed(&text);
            assert_eq!(text.matches(&attack).count(), harmless.matches(&attack).count(), "{attack}");
        }
    }
}

#[test]
fn other_tags_and_similar_names_stay_as_they_are() {
    for harmless in ["<b>bold</b>", "<original_prompts>", "x < y", "&lt;original_prompt>", "</execution_result2>", "<"]
    {
        assert_eq!(inserted(harmless), harmless);
    }
    assert_eq!(inserted("</original_prompt>"), "&lt;/original_prompt>");
}
