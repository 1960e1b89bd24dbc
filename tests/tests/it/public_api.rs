//! The public API for plugin authors, as one snapshot: a review shows every change to it.
//!
//! It is read from the source: `cargo-public-api` and `cargo-semver-checks` need a nightly
//! toolchain or rustdoc's unstable JSON, which CI does not have.

use std::{collections::BTreeSet, fs};

use anyhow::Result;
use syn::{
    Attribute, File, ImplItem, Item, ItemImpl, Type, UseTree, Visibility, parse_quote,
    visit_mut::{self, VisitMut},
};

use jackfield_tidy::{root, sources};

/// Folders of source, each with the file that exports its public items.
const CRATES: [(&str, &str); 3] = [
    ("plugin-api/src", "lib.rs"),
    ("plugin-api/abi/src/envelope", "mod.rs"),
    ("plugin-api/test-support/src", "lib.rs"),
];

/// Attributes without a meaning for users of the item.
const LEFT_OUT: [&str; 4] = ["doc", "allow", "expect", "cfg"];

fn says(attribute: &Attribute, name: &str, word: &str) -> bool {
    let list = attribute.meta.require_list();
    attribute.path().is_ident(name) && list.is_ok_and(|list| list.tokens.to_string() == word)
}

/// Hidden on purpose, or for unit tests only.
fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| says(attribute, "doc", "hidden") || says(attribute, "cfg", "test"))
}

const fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Removes bodies, comments and private parts of an item.
struct Signatures;

impl VisitMut for Signatures {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| !LEFT_OUT.iter().any(|word| attribute.path().is_ident(word)));
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.clear();
    }

    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        for field in item.fields.iter_mut().filter(|field| !is_public(&field.vis)) {
            // Only its existence matters: with a private field, others cannot construct the struct.
            (field.attrs, field.vis, field.ty) = (Vec::new(), Visibility::Inherited, parse_quote!(Private));
            field.ident = field.ident.as_ref().map(|_| parse_quote!(private));
        }
        if let syn::Fields::Named(fields) = &mut item.fields {
            let (mut is_told, all) = (false, std::mem::take(&mut fields.named));
            fields.named =
                all.into_iter().filter(|f| is_public(&f.vis) || !std::mem::replace(&mut is_told, true)).collect();
        }
        visit_mut::visit_item_struct_mut(self, item);
    }

    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        let is_of_a_trait = item.trait_.is_some();
        item.items.retain(|inner| match inner {
            ImplItem::Fn(function) => !is_of_a_trait && is_public(&function.vis) && !is_hidden(&function.attrs),
            ImplItem::Const(constant) => !is_of_a_trait && is_public(&constant.vis),
            other => matches!(other, ImplItem::Type(_)),
        });
        visit_mut::visit_item_impl_mut(self, item);
    }
}

fn names(tree: &UseTree, found: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => names(&path.tree, found),
        UseTree::Group(group) => group.items.iter().for_each(|item| names(item, found)),
        UseTree::Name(name) => drop(found.insert(name.ident.to_string())),
        UseTree::Rename(rename) => drop(found.insert(rename.rename.to_string())),
        UseTree::Glob(_) => panic!("name what is re-exported: a glob cannot be read here"),
    }
}

/// What the crate's root file exports or declares itself.
fn reached(root: &File) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in &root.items {
        match item {
            Item::Use(import) if is_public(&import.vis) && !is_hidden(&import.attrs) => names(&import.tree, &mut found),
            other => found.extend(public_name(other)),
        }
    }
    found
}

fn public_name(item: &Item) -> Option<String> {
    let (visibility, attributes, name) = match item {
        Item::Struct(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Enum(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Trait(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Fn(item) => (&item.vis, &item.attrs, &item.sig.ident),
        Item::Const(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Type(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Mod(item) => (&item.vis, &item.attrs, &item.ident),
        _ => return None,
    };
    (is_public(visibility) && !is_hidden(attributes)).then(|| name.to_string())
}

fn is_reached(item: &Item, reached: &BTreeSet<String>) -> bool {
    let has = |path: &syn::Path| path.segments.last().is_some_and(|last| reached.contains(&last.ident.to_string()));
    match item {
        Item::Use(import) => is_public(&import.vis) && !is_hidden(&import.attrs),
        // With its body, which becomes part of every plugin.
        Item::Macro(item) => item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")),
        Item::Impl(item) => {
            let is_ours = matches!(&*item.self_ty, Type::Path(own) if has(&own.path));
            // A longer path is a foreign trait, such as `std::error::Error`.
            is_ours || item.trait_.as_ref().is_some_and(|(_, path, _)| path.segments.len() == 1 && has(path))
        }
        other => public_name(other).is_some_and(|name| reached.contains(&name)),
    }
}

/// The public items of a file as Rust without bodies; empty if there are none.
fn signatures(mut file: File, reached: &BTreeSet<String>) -> String {
    file.attrs.clear();
    file.items.retain(|item| is_reached(item, reached));
    file.items.iter_mut().for_each(|item| Signatures.visit_item_mut(item));
    prettyplease::unparse(&file)
}

#[test]
fn the_public_api_is_as_it_was() -> Result<()> {
    let mut all = String::new();
    for (folder, file) in CRATES {
        let reached = reached(&syn::parse_file(&fs::read_to_string(root().join(folder).join(file))?)?);
        for (name, text) in sources(folder)?.into_iter().filter(|(name, _)| !name.ends_with("tests.rs")) {
            let public = signatures(syn::parse_file(&text)?, &reached);
            if !public.is_empty() {
                all.push_str(&format!("// {name}\n\n{public}\n"));
            }
        }
    }
    insta::assert_snapshot!(all);
    Ok(())
}
