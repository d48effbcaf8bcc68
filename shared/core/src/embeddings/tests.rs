use super::*;

#[test]
fn sizes_are_those_of_the_model() {
    let words = |count: usize| EmbeddingInputs::One("word ".repeat(count));
    for (model, limit) in [
        (EmbeddingModel::Voyage35Lite, 1_000_000),
        (EmbeddingModel::Voyage35, 320_000),
        (EmbeddingModel::Voyage3Large, 120_000),
    ] {
        assert_eq!(words(limit).check_size(model), Ok(()));
        let refused = words(limit + 1).check_size(model);
        assert_eq!(refused, Err(InputsTooLarge::Tokens { estimated: limit + 1, limit }));
    }
    let many = |count: usize| EmbeddingInputs::Many(vec!["a".to_owned(); count]);
    assert_eq!(many(1000).check_size(EmbeddingModel::VoyageLaw2), Ok(()));
    assert_eq!(many(1001).check_size(EmbeddingModel::VoyageLaw2), Err(InputsTooLarge::Count(1001)));
    let split = EmbeddingInputs::Many(vec!["a b".to_owned(); 1000]);
    assert_eq!(split.check_size(EmbeddingModel::VoyageLaw2), Ok(()));
}
