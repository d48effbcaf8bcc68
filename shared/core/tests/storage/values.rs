//! What goes in comes out.

use shared_core::{
    Timestamp,
    db::{DbError, Statement, Value},
    params,
};

use crate::targets::{Target, on_every_target};

on_every_target!(every_kind_of_value_survives, several_reads_answer_in_order, a_wrong_number_of_parameters_is_refused);

async fn every_kind_of_value_survives(target: &Target) {
    let blob: Vec<u8> = (0..=255).collect();
    let long = "päge ".repeat(50_000);
    let texts = ["", " ", "Grüße, 世界 🌍 e\u{301}", "it's \"quoted\"; -- not SQL \\n", "{\"a\": 1e400}", &long];
    let mut values = vec![Value::Null, Value::Blob(blob), Value::Blob(Vec::new()), Value::from(true)];
    values.extend([i64::MIN, -1, 0, 1, (1 << 53) + 1, i64::MAX].map(Value::Integer));
    values.extend(texts.map(Value::from));
    // Numbers with a fraction are not read by our code, so the database itself compares them.
    let reals = [0.1, -2.0, 1e300, 5e-324, f64::MAX];

    target.db.write(vec![Statement::new("CREATE TABLE t (k INTEGER PRIMARY KEY, v)", params![])]).await.unwrap();
    for (k, value) in (0_i64..).zip(&values) {
        let insert = Statement::new("INSERT INTO t VALUES (?1, ?2)", vec![Value::from(k), value.clone()]);
        assert_eq!(target.db.write(vec![insert]).await.unwrap()[0].affected, 1);
        let rows = target.db.read("SELECT v, v IS ?2 AS same FROM t WHERE k = ?1", vec![k.into(), value.clone()]).await;
        let rows = rows.unwrap();
        let row = rows.first().unwrap();
        assert!(row.get::<bool>("same").unwrap(), "{value:?} is compared with itself");
        match value {
            Value::Null => assert_eq!(row.get::<Option<String>>("v").unwrap(), None),
            Value::Integer(number) => assert_eq!(row.get::<i64>("v").unwrap(), *number),
            Value::Text(text) => assert_eq!(&row.get::<String>("v").unwrap(), text),
            Value::Blob(bytes) => assert_eq!(&row.get::<Vec<u8>>("v").unwrap(), bytes),
            Value::Real(_) => unreachable!("compared below"),
        }
    }
    for real in reals {
        let sql = "SELECT typeof(?1) AS kind, ?1 = CAST(?2 AS REAL) AS same";
        let rows = target.db.read(sql, vec![Value::Real(real), format!("{real:e}").into()]).await.unwrap();
        let row = rows.first().unwrap();
        assert_eq!(row.get::<String>("kind").unwrap(), "real", "{real}");
        assert!(row.get::<bool>("same").unwrap(), "{real}");
    }
    let now = Timestamp::now();
    let rows = target.db.read("SELECT ?1 AS v", params![now]).await.unwrap();
    assert_eq!(rows.first().unwrap().get::<Timestamp>("v").unwrap(), now);
}

async fn several_reads_answer_in_order(target: &Target) {
    let empty = Statement::new("SELECT 1 AS n WHERE 0", params![]);
    let three = Statement::new("SELECT value AS n FROM json_each('[3, 1, 2]') ORDER BY n", params![]);
    let answers = target.db.read_many(vec![three, empty, Statement::new("SELECT 'x' AS n", params![])]).await.unwrap();
    let numbers: Vec<i64> = answers[0].rows.iter().map(|row| row.get("n").unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(answers[1].first().is_none());
    assert_eq!(answers[2].first().unwrap().get::<String>("n").unwrap(), "x");
    assert!(target.db.read_many(Vec::new()).await.unwrap().is_empty());
    assert!(target.db.write(Vec::new()).await.unwrap().is_empty());
}

async fn a_wrong_number_of_parameters_is_refused(target: &Target) {
    for params in [params!["only one"], params!["one", "two", "three"]] {
        let error = target.db.read("SELECT ?1 AS a, ?2 AS b", params).await.unwrap_err();
        assert!(matches!(&error, DbError::Other(message) if message.contains("parameter")), "{error}");
    }
}
