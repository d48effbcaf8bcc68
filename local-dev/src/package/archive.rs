//! Zip files that depend on nothing but their content.

use std::io::{Cursor, Write};

use anyhow::{Context, Result};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::PROGRAM;

/// Deflate's best.
const LEVEL: i64 = 9;

/// A zip file that holds the program alone, executable, with the same date always.
pub(super) fn of(program: &[u8]) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    archive.start_file(PROGRAM, options).context("cannot make a zip file")?;
    archive.write_all(program).context("cannot make a zip file")?;
    Ok(archive.finish().context("cannot make a zip file")?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::{io::Read, thread, time::Duration};

    use zip::ZipArchive;

    use super::*;

    #[test]
    fn holds_the_program_alone_and_executable() {
        let program: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let mut archive = ZipArchive::new(Cursor::new(of(&program).unwrap())).unwrap();
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_name("bootstrap").unwrap();
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        assert!(file.compressed_size() < file.size());
        let mut content = vec![];
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, program);
    }

    #[test]
    fn does_not_depend_on_when_it_is_made() {
        let first = of(b"program").unwrap();
        // Zip files count time in steps of two seconds.
        thread::sleep(Duration::from_millis(2_100));
        assert_eq!(of(b"program").unwrap(), first);
        let mut archive = ZipArchive::new(Cursor::new(first)).unwrap();
        let date = archive.by_name("bootstrap").unwrap().last_modified().unwrap();
        assert_eq!((date.year(), date.month(), date.day()), (1980, 1, 1));
    }
}
