//! What a Rust source file names and declares, as its syntax tree says it. Code that only tests compile is left out.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, UseTree};

/// Something that code names, with its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub line: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A path below the crate's root, however it was written: `crate::a::b`, `super::b` or a branch of `use crate::{…}`.
    Inside(Vec<String>),
    /// Any other path; `extern_crate` where it begins with `::` or with a name that no `use` or `mod` of this file gives.
    Outside { path: Vec<String>, extern_crate: bool },
    /// `name!`
    Macro(String),
    /// A block, function, impl or trait that is `unsafe`.
    Unsafe,
}

/// A function with its length in lines, its attributes and documentation not counted.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

#[derive(Debug, Default)]
pub struct Source {
    pub named: Vec<Named>,
    pub functions: Vec<Function>,
    /// What `pub use` at the file's top level gives another name to: the name, and the module that it comes from.
    pub reexports: Vec<(String, String)>,
    /// Modules that only tests compile, in files of their own: the name, and what `#[path]` says.
    pub test_modules: Vec<(String, Option<String>)>,
}

/// Reads a file whose module is `module`: `["tile", "area"]` for `src/tile/area/mod.rs` and for what stands at its top level.
pub fn read(text: &str, module: &[&str]) -> syn::Result<Source> {
    let file = syn::parse_file(text)?;
    let mut reader = Reader {
        module: module.iter().map(ToString::to_string).collect(),
        bound: HashSet::new(),
        source: Source::default(),
    };
    file.items.iter().for_each(|item| reader.bind(item));
    for item in &file.items {
        if let syn::Item::Use(syn::ItemUse { vis: syn::Visibility::Public(_), tree: UseTree::Path(path), .. }) = item {
            let mut names = HashSet::new();
            leaves(&path.tree, true, &mut names);
            reader.source.reexports.extend(names.into_iter().map(|name| (name, path.ident.to_string())));
        }
    }
    reader.visit_file(&file);
    Ok(reader.source)
}

struct Reader {
    /// Where the items that are visited now stand.
    module: Vec<String>,
    /// Names that the file's own `use` and `mod` give.
    bound: HashSet<String>,
    source: Source,
}

/// True of `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
        let condition: String = list.tokens.to_string().split_whitespace().collect();
        attribute.path().is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,"))
    })
}

/// The names that a `use` gives.
fn leaves(tree: &UseTree, inside: bool, out: &mut HashSet<String>) {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, true, out),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, inside, out)),
        // `use name;` binds what is outside to its own name.
        UseTree::Name(name) if inside => drop(out.insert(name.ident.to_string())),
        UseTree::Rename(name) => drop(out.insert(name.rename.to_string())),
        UseTree::Name(_) | UseTree::Glob(_) => {}
    }
}

/// The file that `#[path = "…"]` names.
fn file_of(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue { path, value: syn::Expr::Lit(value), .. })
            if path.is_ident("path") =>
        {
            let syn::Lit::Str(text) = &value.lit else { return None };
            Some(text.value())
        }
        _ => None,
    })
}

impl Reader {
    fn add(&mut self, span: Span, what: What) {
        self.source.named.push(Named { line: span.start().line, what });
    }

    /// Notes a path by its segments.
    fn path(&mut self, span: Span, rooted: bool, segments: &[String]) {
        let Some(first) = segments.first() else { return };
        if rooted || !matches!(first.as_str(), "crate" | "super" | "self") {
            let extern_crate = rooted || (segments.len() > 1 && !self.bound.contains(first));
            return self.add(span, What::Outside { path: segments.to_vec(), extern_crate });
        }
        let ups = segments.iter().filter(|s| *s == "super").count();
        let own = if first == "crate" { 0 } else { self.module.len().saturating_sub(ups) };
        let rest = segments.iter().skip_while(|s| matches!(s.as_str(), "crate" | "super" | "self"));
        let inside = self.module[..own].iter().chain(rest).cloned().collect();
        self.add(span, What::Inside(inside));
    }

    /// Notes each branch of a `use`.
    fn branches(&mut self, tree: &UseTree, rooted: bool, before: &[String]) {
        let with = |name: &proc_macro2::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.branches(&path.tree, rooted, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.branches(tree, rooted, before)),
            UseTree::Name(name) => self.path(name.span(), rooted, &with(&name.ident)),
            UseTree::Rename(name) => self.path(name.span(), rooted, &with(&name.ident)),
            UseTree::Glob(glob) => self.path(glob.span(), rooted, before),
        }
    }

    fn bind(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Use(item) => leaves(&item.tree, false, &mut self.bound),
            syn::Item::Mod(item) => {
                self.bound.insert(item.ident.to_string());
                item.content.iter().flat_map(|(_, items)| items).for_each(|item| self.bind(item));
            }
            _ => {}
        }
    }

    /// Paths and `unsafe` in tokens that no parser reads: what macros are given.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colons = |at: usize| {
            let colon = |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
            colon(tokens.get(at)) && colon(tokens.get(at + 1))
        };
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) if *first == "unsafe" => self.add(first.span(), What::Unsafe),
                TokenTree::Ident(first) if colons(at + 1) => {
                    let rooted = at >= 2 && colons(at - 2);
                    let mut segments = vec![first.to_string()];
                    while let (true, Some(TokenTree::Ident(next))) = (colons(at + 1), tokens.get(at + 3)) {
                        segments.push(next.to_string());
                        at += 3;
                    }
                    self.path(first.span(), rooted, &segments);
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn function(&mut self, name: &syn::Ident, start: Span, body: &syn::Block) {
        let (line, end) = (start.start().line, body.span().end().line);
        self.source.functions.push(Function { name: name.to_string(), line, lines: end + 1 - line });
    }

    fn signature(&mut self, signature: &syn::Signature, body: &syn::Block) {
        self.function(&signature.ident, signature.fn_token.span, body);
        if matches!(signature.safety, syn::Safety::Unsafe(_)) {
            self.add(signature.span(), What::Unsafe);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Type(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        match item {
            syn::Item::Mod(module) if for_tests(attributes) && module.content.is_none() => {
                self.source.test_modules.push((module.ident.to_string(), file_of(attributes)));
            }
            _ if for_tests(attributes) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.branches(&item.tree, item.leading_colon.is_some(), &[]);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.signature(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            self.signature(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.unsafety.is_some() {
            self.add(item.impl_token.span, What::Unsafe);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.add(block.unsafe_token.span, What::Unsafe);
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // `crate` alone says who sees something.
        if !matches!(segments[..], [ref one] if matches!(one.as_str(), "crate" | "super" | "self")) {
            self.path(path.span(), path.leading_colon.is_some(), &segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        if let Some(name) = item.path.segments.last() {
            self.add(name.span(), What::Macro(name.ident.to_string()));
        }
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
