//! What the public signatures of a file name, as its syntax tree says it.

use std::collections::HashMap;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// The places of a file where a public and documented signature names one of `crates`: the line, and the path as it is written out.
///
/// Signatures are those of functions, methods, fields, variants, traits, types and constants, with their bounds; and what a trait is
/// implemented with. What is only visible in the crate, hidden from the documentation, or in an inline module that is not public does not count.
pub fn named(text: &str, crates: &[&str]) -> syn::Result<Vec<(usize, String)>> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder { crates, bound: HashMap::new(), found: Vec::new() };
    finder.items(&file.items);
    Ok(finder.found)
}

/// The modules that a file declares as public and hides from the documentation.
pub fn hidden_modules(text: &str) -> syn::Result<Vec<String>> {
    let file = syn::parse_file(text)?;
    let modules = file.items.iter().filter_map(|item| if let Item::Mod(module) = item { Some(module) } else { None });
    Ok(modules.filter(|module| hidden(&module.attrs)).map(|module| module.ident.to_string()).collect())
}

struct Finder<'a> {
    crates: &'a [&'a str],
    /// Names that `use` gives, with what they stand for.
    bound: HashMap<String, Vec<String>>,
    found: Vec<(usize, String)>,
}

/// True of `#[doc(hidden)]`, and of what only tests compile.
fn hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition: String = list.tokens.to_string().split_whitespace().collect();
        (attribute.path().is_ident("doc") && condition == "hidden")
            || (attribute.path().is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,")))
    })
}

fn open(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_)) && !hidden(attributes)
}

impl Finder<'_> {
    fn bind(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &proc_macro2::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.bind(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.bind(tree, before)),
            UseTree::Name(name) if name.ident == "self" => {
                before.last().map(|last| self.bound.insert(last.clone(), before.to_vec()));
            }
            UseTree::Name(name) => drop(self.bound.insert(name.ident.to_string(), with(&name.ident))),
            UseTree::Rename(name) => drop(self.bound.insert(name.rename.to_string(), with(&name.ident))),
            UseTree::Glob(_) => {}
        }
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            if let Item::Use(item) = item {
                self.bind(&item.tree, &[]);
            }
        }
        items.iter().for_each(|item| self.item(item));
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Fn(item) if open(&item.vis, &item.attrs) => self.visit_signature(&item.sig),
            Item::Const(item) if open(&item.vis, &item.attrs) => self.visit_type(&item.ty),
            Item::Static(item) if open(&item.vis, &item.attrs) => self.visit_type(&item.ty),
            Item::Type(item) if open(&item.vis, &item.attrs) => {
                self.visit_generics(&item.generics);
                self.visit_type(&item.ty);
            }
            Item::Struct(item) if open(&item.vis, &item.attrs) => {
                self.visit_generics(&item.generics);
                item.fields.iter().filter(|f| open(&f.vis, &f.attrs)).for_each(|field| self.visit_type(&field.ty));
            }
            Item::Enum(item) if open(&item.vis, &item.attrs) => {
                self.visit_generics(&item.generics);
                let fields = item.variants.iter().filter(|v| !hidden(&v.attrs)).flat_map(|v| &v.fields);
                fields.for_each(|field| self.visit_type(&field.ty));
            }
            Item::Trait(item) if open(&item.vis, &item.attrs) => {
                self.visit_generics(&item.generics);
                item.supertraits.iter().for_each(|bound| self.visit_type_param_bound(bound));
                for part in &item.items {
                    match part {
                        syn::TraitItem::Fn(part) if !hidden(&part.attrs) => self.visit_signature(&part.sig),
                        syn::TraitItem::Type(part) => part.bounds.iter().for_each(|b| self.visit_type_param_bound(b)),
                        syn::TraitItem::Const(part) => self.visit_type(&part.ty),
                        _ => {}
                    }
                }
            }
            Item::Impl(item) if !hidden(&item.attrs) => self.implementation(item),
            Item::Mod(item) if open(&item.vis, &item.attrs) => {
                item.content.iter().for_each(|(_, items)| self.items(items));
            }
            _ => {}
        }
    }

    fn implementation(&mut self, item: &syn::ItemImpl) {
        if let Some((path, _)) = &item.trait_ {
            self.visit_path(path);
            return;
        }
        for part in &item.items {
            match part {
                syn::ImplItem::Fn(part) if open(&part.vis, &part.attrs) => self.visit_signature(&part.sig),
                syn::ImplItem::Const(part) if open(&part.vis, &part.attrs) => self.visit_type(&part.ty),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let full = match segments.first().and_then(|first| self.bound.get(first)) {
            Some(bound) => [bound, &segments[1..]].concat(),
            None => segments,
        };
        if full.first().is_some_and(|first| self.crates.contains(&first.as_str())) {
            self.found.push((path.span().start().line, full.join("::")));
        }
        visit::visit_path(self, path);
    }
}
