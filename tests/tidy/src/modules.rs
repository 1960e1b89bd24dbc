//! A package as modules: which file defines a name, and which files a file refers to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

use crate::sources::{is_test, sources};

/// The path of a module below its package: empty for the root.
pub type Module = Vec<String>;

/// The modules of one package.
pub struct Package {
    /// Folder of the source, from the root of the repository: `host/store/src`.
    pub folder: String,
    files: BTreeMap<Module, Source>,
}

/// One file, read.
struct Source {
    path: String,
    /// Names that a `use` brings into the file, each with the path it stands for.
    uses: BTreeMap<String, Vec<String>>,
    /// Paths of two segments or more that the code names.
    paths: BTreeSet<Vec<String>>,
    /// Child modules.
    children: BTreeSet<String>,
}

impl Package {
    /// Reads all files below a folder of source.
    ///
    /// # Errors
    /// When a file cannot be read or is not Rust.
    pub fn read(folder: &str) -> Result<Self> {
        let mut files = BTreeMap::new();
        for (path, text) in sources(folder)?.into_iter().filter(|(path, _)| !is_test(path)) {
            let syntax = syn::parse_file(&text).with_context(|| path.clone())?;
            let module = module_of(folder, &path);
            let mut reader = Reader { source: Source::new(path), depth: 0 };
            reader.visit_file(&syntax);
            files.insert(module, reader.source);
        }
        Ok(Self { folder: folder.to_owned(), files })
    }

    /// The files, each with those that it refers to. What a file only hands on (`pub use`) is no
    /// reference of its own.
    #[must_use]
    pub fn references(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut all = BTreeMap::new();
        for (module, source) in &self.files {
            let found = source.paths.iter().filter_map(|path| self.file_of(module, path));
            let others: BTreeSet<&str> = found.filter(|file| *file != source.path).collect();
            all.insert(source.path.as_str(), others);
        }
        all
    }

    /// The file that defines what a path in a module names, where it is one of this package.
    fn file_of(&self, module: &Module, path: &[String]) -> Option<&str> {
        let absolute = self.absolute(module, path)?;
        self.definition(&absolute, 8)
    }

    /// A path from the root of the package; `None` for one of another package.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let above = |levels: usize| module.get(..module.len().checked_sub(levels)?).map(<[String]>::to_vec);
        let (mut base, mut rest) = match first.as_str() {
            "crate" => (Vec::new(), rest),
            "self" => (module.clone(), rest),
            "super" => {
                let levels = path.iter().take_while(|segment| *segment == "super").count();
                (above(levels)?, path.get(levels..)?)
            }
            name => {
                let source = self.files.get(module)?;
                if source.children.contains(name) {
                    (module.clone(), path)
                } else if let Some(stands_for) = source.uses.get(name) {
                    let whole: Vec<String> = stands_for.iter().chain(rest).cloned().collect();
                    let is_itself = whole.first().is_some_and(|head| head == name);
                    return if is_itself { None } else { self.absolute(module, &whole) };
                } else {
                    return None;
                }
            }
        };
        while let Some((segment, next)) = rest.split_first() {
            base.push(segment.clone());
            rest = next;
        }
        Some(base)
    }

    /// Follows re-exports to the file where a name is defined.
    fn definition(&self, absolute: &[String], hops: u8) -> Option<&str> {
        let mut module = absolute.to_vec();
        let mut rest = Vec::new();
        while !self.files.contains_key(&module) {
            rest.insert(0, module.pop()?);
        }
        let source = self.files.get(&module)?;
        let Some(name) = rest.first() else { return Some(&source.path) };
        if let (Some(stands_for), true) = (source.uses.get(name), hops > 0) {
            let whole: Vec<String> = stands_for.iter().chain(&rest[1..]).cloned().collect();
            // A name of another package that is handed on is nobody's here.
            let absolute = self.absolute(&module, &whole)?;
            return self.definition(&absolute, hops - 1);
        }
        Some(&source.path)
    }
}

fn module_of(folder: &str, path: &str) -> Module {
    let below = path.trim_start_matches(folder).trim_start_matches('/').trim_end_matches(".rs");
    let mut parts: Module = below.split('/').map(str::to_owned).collect();
    let is_face = parts.last().is_some_and(|last| last == "mod")
        || (parts.len() == 1 && matches!(parts[0].as_str(), "lib" | "main"));
    if is_face {
        parts.pop();
    }
    parts
}

impl Source {
    const fn new(path: String) -> Self {
        Self { path, uses: BTreeMap::new(), paths: BTreeSet::new(), children: BTreeSet::new() }
    }
}

struct Reader {
    source: Source,
    /// How many inline modules lie around what is read: `super` leads out of these first.
    depth: usize,
}

impl Reader {
    fn add(&mut self, path: Vec<String>) {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        let leads_out = supers > self.depth || path.first().is_some_and(|first| first != "super");
        if path.len() > 1 && leads_out {
            self.source.paths.insert(path.into_iter().skip(self.depth.min(supers)).collect());
        }
    }

    fn add_use(&mut self, tree: &UseTree, above: &[String], is_public: bool) {
        let below = |name: &dyn ToString| [above, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&path.tree, &below(&path.ident), is_public),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.add_use(item, above, is_public)),
            UseTree::Name(name) if name.ident == "self" => self.bring(above.last().cloned(), above.to_vec(), is_public),
            UseTree::Name(name) => self.bring(Some(name.ident.to_string()), below(&name.ident), is_public),
            UseTree::Rename(name) if name.ident == "self" => {
                self.bring(Some(name.rename.to_string()), above.to_vec(), is_public);
            }
            UseTree::Rename(name) => self.bring(Some(name.rename.to_string()), below(&name.ident), is_public),
            UseTree::Glob(_) => self.add([above, &["*".to_owned()]].concat()),
        }
    }

    fn bring(&mut self, name: Option<String>, path: Vec<String>, is_public: bool) {
        let Some(name) = name else { return };
        let is_type = name.starts_with(char::is_uppercase);
        // A module that is brought in is referred to where a path goes through it.
        if !is_public && (is_type || name.chars().all(|c| c.is_lowercase() || c == '_' || c.is_ascii_digit())) {
            self.add(path.clone());
        }
        if self.depth == 0 {
            self.source.uses.insert(name, path);
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_none() {
            self.source.children.insert(item.ident.to_string());
        }
        self.depth += 1;
        visit::visit_item_mod(self, item);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        self.add_use(&item.tree, &[], is_public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}
