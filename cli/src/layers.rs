//! Lists of blocks on the command line: `3,7-9`.

use picolm_core::model::LayerSet;

/// The blocks of a list of numbers and ranges; otherwise what is wrong with it.
pub(crate) fn parse(list: &str) -> Result<LayerSet, String> {
    let mut layers = LayerSet::EMPTY;
    for item in list.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(format!("'{item}' is no layer and no range: write 3,7-9"));
        };
        if first > last {
            return Err(format!("'{item}' goes backwards: write 3,7-9"));
        }
        for layer in first..=last {
            layers.insert(layer).ok_or(format!("'{item}': no model has a layer {layer}"))?;
        }
    }
    Ok(layers)
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_layers() {
        for (list, layers) in [
            ("3", &[3][..]),
            ("3,7-9", &[3, 7, 8, 9]),
            ("9,7-8,7,007", &[7, 8, 9]),
            ("0-0,511", &[0, 511]),
        ] {
            assert!(parse(list).unwrap().iter().eq(layers.iter().copied()), "{list}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (list, named) in [
            ("", "''"),
            ("1,,2", "''"),
            ("1,x", "'x'"),
            ("-1", "'-1'"),
            ("3-", "'3-'"),
            ("1-2-3", "'1-2-3'"),
            ("+1", "'+1'"),
            ("1, 2", "' 2'"),
            ("9-7", "'9-7' goes backwards"),
            ("512", "layer 512"),
            ("0-4294967295", "layer 512"),
            ("4294967296", "'4294967296'"),
        ] {
            assert!(parse(list).unwrap_err().contains(named), "{list}: {:?}", parse(list));
        }
    }
}
