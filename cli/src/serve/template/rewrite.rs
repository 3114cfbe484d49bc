//! A template's syntax tree with calls in the place of operators.
//!
//! minijinja's operators, filters and literals are replaced by calls of our [`functions`], whose
//! names no template can spell (`+`, `[...]`): they know marked text, do what Python does, and pay
//! for what they make. Text between tags becomes an expression, so that it passes the formatter,
//! which pays for what is written. Nothing is left to fold while compiling.
//!
//! [`functions`]: super::functions

use super::budget::failure;
use super::mark;
use minijinja::Error;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, Expr, Spanned, Stmt};
use minijinja::value::Value;

/// Most arguments, elements or members in one place of a template.
const MAX_ARGUMENTS: usize = 2000;

/// Where a captured block waits for its filter.
const CAPTURED: &str = "captured block";
/// Where the result of a statement goes that has none.
const IGNORED: &str = "ignored";

/// The rewritten tree.
pub(super) fn template<'a>(tree: &Stmt<'a>) -> Result<Stmt<'a>, Error> {
    let Stmt::Template(template) = tree else { return Err(failure("no template")) };
    let children = statements(&template.children)?;
    Ok(Stmt::Template(Spanned::new(ast::Template { children }, template.span())))
}

fn statements<'a>(list: &[Stmt<'a>]) -> Result<Vec<Stmt<'a>>, Error> {
    let mut out = Vec::with_capacity(list.len());
    for one in list {
        statement(one, &mut out)?;
    }
    Ok(out)
}

fn statement<'a>(one: &Stmt<'a>, out: &mut Vec<Stmt<'a>>) -> Result<(), Error> {
    let own = match one {
        Stmt::Template(_) => return Err(failure("a template inside of a template")),
        Stmt::EmitExpr(emit) => {
            let expr = expression(&emit.expr)?;
            Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr }, emit.span()))
        }
        Stmt::EmitRaw(raw) => {
            let expr = text(raw.raw, raw.span());
            Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr }, raw.span()))
        }
        Stmt::ForLoop(each) => for_loop(each)?,
        Stmt::IfCond(condition) => {
            let node = ast::IfCond {
                expr: expression(&condition.expr)?,
                true_body: statements(&condition.true_body)?,
                false_body: statements(&condition.false_body)?,
            };
            Stmt::IfCond(Spanned::new(node, condition.span()))
        }
        Stmt::WithBlock(with) => {
            let assignment =
                |(to, value): &(Expr<'a>, Expr<'a>)| Ok((target(to)?, expression(value)?));
            let node = ast::WithBlock {
                assignments: with
                    .assignments
                    .iter()
                    .map(assignment)
                    .collect::<Result<_, Error>>()?,
                body: statements(&with.body)?,
            };
            Stmt::WithBlock(Spanned::new(node, with.span()))
        }
        Stmt::Set(set) => assign(&set.target, expression(&set.expr)?, set.span())?,
        Stmt::SetBlock(set) => {
            out.push(capture(&set.body, set.span())?);
            let captured = match &set.filter {
                Some(filter) => filtered(filter, set.span())?,
                None => variable(CAPTURED, set.span()),
            };
            assign(&set.target, captured, set.span())?
        }
        Stmt::FilterBlock(block) => {
            out.push(capture(&block.body, block.span())?);
            let expr = filtered(&block.filter, block.span())?;
            Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr }, block.span()))
        }
        // Prompts are no HTML.
        Stmt::AutoEscape(block) => {
            out.extend(statements(&block.body)?);
            return Ok(());
        }
        // Without another template, a block is where it stands.
        Stmt::Block(block) => {
            out.extend(statements(&block.body)?);
            return Ok(());
        }
        Stmt::Import(_) | Stmt::FromImport(_) | Stmt::Extends(_) | Stmt::Include(_) => {
            return Err(failure("the template asks for another template"));
        }
        Stmt::Macro(own) => Stmt::Macro(Spanned::new(macro_node(own)?, own.span())),
        Stmt::CallBlock(block) => {
            let node = ast::CallBlock {
                call: Spanned::new(call_node(&block.call)?, block.call.span()),
                macro_decl: Spanned::new(macro_node(&block.macro_decl)?, block.macro_decl.span()),
            };
            Stmt::CallBlock(Spanned::new(node, block.span()))
        }
        Stmt::Continue(own) => Stmt::Continue(Spanned::new(ast::Continue, own.span())),
        Stmt::Break(own) => Stmt::Break(Spanned::new(ast::Break, own.span())),
        Stmt::Do(own) => {
            let call = Expr::Call(Spanned::new(call_node(&own.call)?, own.call.span()));
            assign(&variable(IGNORED, own.span()), call, own.span())?
        }
    };
    out.push(own);
    Ok(())
}

fn for_loop<'a>(each: &Spanned<ast::ForLoop<'a>>) -> Result<Stmt<'a>, Error> {
    let node = ast::ForLoop {
        target: target(&each.target)?,
        iter: call("for", vec![expression(&each.iter)?], each.iter.span()),
        filter_expr: each.filter_expr.as_ref().map(expression).transpose()?,
        recursive: each.recursive,
        body: statements(&each.body)?,
        else_body: statements(&each.else_body)?,
    };
    Ok(Stmt::ForLoop(Spanned::new(node, each.span())))
}

fn capture<'a>(body: &[Stmt<'a>], span: Span) -> Result<Stmt<'a>, Error> {
    let node =
        ast::SetBlock { target: variable(CAPTURED, span), filter: None, body: statements(body)? };
    Ok(Stmt::SetBlock(Spanned::new(node, span)))
}

/// The filter of a block, on what the block wrote.
fn filtered<'a>(filter: &Expr<'a>, span: Span) -> Result<Expr<'a>, Error> {
    let Expr::Filter(filter) = filter else { return Err(failure("a block's filter is none")) };
    let inner = match &filter.expr {
        Some(inner) => filtered(inner, span)?,
        None => variable(CAPTURED, span),
    };
    applied("|", filter.name, inner, &filter.args, span)
}

fn assign<'a>(to: &Expr<'a>, value: Expr<'a>, span: Span) -> Result<Stmt<'a>, Error> {
    let (to, value) = match to {
        Expr::GetAttr(attribute) => {
            let name = text(attribute.name, span);
            let arguments = vec![expression(&attribute.expr)?, name, value];
            (variable(IGNORED, span), call("set", arguments, span))
        }
        _ => (target(to)?, value),
    };
    Ok(Stmt::Set(Spanned::new(ast::Set { target: to, expr: value }, span)))
}

/// What is assigned to: a variable, or several.
fn target<'a>(expr: &Expr<'a>) -> Result<Expr<'a>, Error> {
    match expr {
        Expr::Var(own) => Ok(variable(own.id, own.span())),
        Expr::List(list) => {
            let items = list.items.iter().map(target).collect::<Result<_, _>>()?;
            Ok(Expr::List(Spanned::new(ast::List { items }, list.span())))
        }
        _ => Err(failure("the template assigns to what is no variable")),
    }
}

fn macro_node<'a>(own: &ast::Macro<'a>) -> Result<ast::Macro<'a>, Error> {
    Ok(ast::Macro {
        name: own.name,
        args: own.args.iter().map(target).collect::<Result<_, _>>()?,
        defaults: expressions(&own.defaults)?,
        body: statements(&own.body)?,
    })
}

fn variable(id: &str, span: Span) -> Expr<'_> {
    Expr::Var(Spanned::new(ast::Var { id }, span))
}

fn constant<'a>(value: Value, span: Span) -> Expr<'a> {
    Expr::Const(Spanned::new(ast::Const { value }, span))
}

fn text<'a>(text: &str, span: Span) -> Expr<'a> {
    constant(Value::from(text), span)
}

fn call<'a>(name: &'static str, arguments: Vec<Expr<'a>>, span: Span) -> Expr<'a> {
    let args = arguments.into_iter().map(ast::CallArg::Pos).collect();
    Expr::Call(Spanned::new(ast::Call { expr: variable(name, span), args }, span))
}

/// A filter or a test.
fn applied<'a>(
    kind: &'static str,
    name: &'a str,
    subject: Expr<'a>,
    arguments: &[ast::CallArg<'a>],
    span: Span,
) -> Result<Expr<'a>, Error> {
    // Names may be written with spaces inside: `is divisible by`.
    let name: String = name.split_ascii_whitespace().collect();
    let mut args = vec![ast::CallArg::Pos(text(&name, span)), ast::CallArg::Pos(subject)];
    args.extend(call_arguments(arguments)?);
    Ok(Expr::Call(Spanned::new(ast::Call { expr: variable(kind, span), args }, span)))
}

fn call_arguments<'a>(arguments: &[ast::CallArg<'a>]) -> Result<Vec<ast::CallArg<'a>>, Error> {
    require_few(arguments.len())?;
    let argument = |argument: &ast::CallArg<'a>| {
        Ok(match argument {
            ast::CallArg::Pos(value) => ast::CallArg::Pos(expression(value)?),
            ast::CallArg::Kwarg(name, value) => ast::CallArg::Kwarg(name, expression(value)?),
            ast::CallArg::PosSplat(_) | ast::CallArg::KwargSplat(_) => {
                return Err(failure("the template calls something with a list of arguments"));
            }
        })
    };
    arguments.iter().map(argument).collect()
}

/// Counts are 16 bits wide in the compiled template.
fn require_few(count: usize) -> Result<(), Error> {
    match count <= MAX_ARGUMENTS {
        true => Ok(()),
        false => Err(failure(format!("the template lists more than {MAX_ARGUMENTS} values"))),
    }
}

fn call_node<'a>(own: &ast::Call<'a>) -> Result<ast::Call<'a>, Error> {
    let expr = match &own.expr {
        // A method's name stays what it is.
        Expr::GetAttr(attribute) => {
            let node = ast::GetAttr { expr: expression(&attribute.expr)?, name: attribute.name };
            Expr::GetAttr(Spanned::new(node, attribute.span()))
        }
        other => expression(other)?,
    };
    Ok(ast::Call { expr, args: call_arguments(&own.args)? })
}

fn expressions<'a>(list: &[Expr<'a>]) -> Result<Vec<Expr<'a>>, Error> {
    require_few(list.len())?;
    list.iter().map(expression).collect()
}

fn expression<'a>(expr: &Expr<'a>) -> Result<Expr<'a>, Error> {
    let span = expr.span();
    Ok(match expr {
        Expr::Var(own) => variable(own.id, span),
        Expr::Const(own) => {
            if own.value.as_str().is_some_and(mark::has_reserved) {
                return Err(failure("the template has characters that Unicode does not"));
            }
            constant(own.value.clone(), span)
        }
        Expr::Slice(slice) => {
            let bound = |bound: &Option<Expr<'a>>| match bound {
                Some(bound) => expression(bound),
                None => Ok(constant(Value::from(()), span)),
            };
            let bounds = [bound(&slice.start)?, bound(&slice.stop)?, bound(&slice.step)?];
            let subject = [expression(&slice.expr)?];
            call("[:]", subject.into_iter().chain(bounds).collect(), span)
        }
        Expr::UnaryOp(own) => match own.op {
            ast::UnaryOpKind::Not => not(expression(&own.expr)?, span),
            ast::UnaryOpKind::Neg => call("-x", vec![expression(&own.expr)?], span),
        },
        Expr::BinOp(own) => binary(own, span)?,
        Expr::Compare(own) => comparison(own, span)?,
        Expr::IfExpr(own) => {
            let node = ast::IfExpr {
                test_expr: expression(&own.test_expr)?,
                true_expr: expression(&own.true_expr)?,
                false_expr: own.false_expr.as_ref().map(expression).transpose()?,
            };
            Expr::IfExpr(Spanned::new(node, span))
        }
        Expr::Filter(own) => {
            let Some(subject) = &own.expr else { return Err(failure("a filter of nothing")) };
            applied("|", own.name, expression(subject)?, &own.args, span)?
        }
        Expr::Test(own) => applied("is", own.name, expression(&own.expr)?, &own.args, span)?,
        Expr::GetAttr(own) => {
            let node = ast::GetAttr { expr: expression(&own.expr)?, name: own.name };
            Expr::GetAttr(Spanned::new(node, span))
        }
        Expr::GetItem(own) => {
            let arguments = vec![expression(&own.expr)?, expression(&own.subscript_expr)?];
            call("[]", arguments, span)
        }
        Expr::Call(own) => Expr::Call(Spanned::new(call_node(own)?, span)),
        Expr::List(own) => call("[...]", expressions(&own.items)?, span),
        Expr::Map(own) => {
            let (keys, values) = (expressions(&own.keys)?, expressions(&own.values)?);
            let members = keys.into_iter().zip(values).flat_map(|(key, value)| [key, value]);
            call("{...}", members.collect(), span)
        }
    })
}

fn not(expr: Expr<'_>, span: Span) -> Expr<'_> {
    Expr::UnaryOp(Spanned::new(ast::UnaryOp { op: ast::UnaryOpKind::Not, expr }, span))
}

fn binary<'a>(own: &ast::BinOp<'a>, span: Span) -> Result<Expr<'a>, Error> {
    use ast::BinOpKind as Kind;
    let (left, right) = (expression(&own.left)?, expression(&own.right)?);
    let name = match own.op {
        Kind::ScAnd | Kind::ScOr => {
            let node = ast::BinOp { op: own.op, left: unfolded(left, span), right };
            return Ok(Expr::BinOp(Spanned::new(node, span)));
        }
        Kind::Eq => "==",
        Kind::Ne => "!=",
        Kind::Lt => "<",
        Kind::Lte => "<=",
        Kind::Gt => ">",
        Kind::Gte => ">=",
        Kind::Add => "+",
        Kind::Sub => "-",
        Kind::Mul => "*",
        Kind::Div => "/",
        Kind::FloorDiv => "//",
        Kind::Rem => "%",
        Kind::Pow => "**",
        Kind::Concat => "~",
        Kind::In => "in",
    };
    Ok(call(name, vec![left, right], span))
}

/// A constant on the left of `and` would be folded with one on the right, otherwise than in Python:
/// `0 and 1` is `0` there.
fn unfolded(expr: Expr<'_>, span: Span) -> Expr<'_> {
    match expr {
        Expr::Const(_) => {
            let first = call("[...]", vec![expr], span);
            call("[]", vec![first, constant(Value::from(0), span)], span)
        }
        _ => expr,
    }
}

/// `a < b < c` is `a < b and b < c`.
fn comparison<'a>(own: &ast::Compare<'a>, span: Span) -> Result<Expr<'a>, Error> {
    use ast::CompareOpKind as Kind;
    // What stands in the middle is computed twice; nested, that would double and double again.
    let inner = own.ops.iter().rev().skip(1);
    if !inner.clone().all(|step| is_simple(&step.expr)) {
        return Err(failure("the template chains comparisons of what is computed"));
    }
    let mut whole: Option<Expr<'a>> = None;
    let mut left = &own.expr;
    for step in &own.ops {
        let name = match step.op {
            Kind::Eq => "==",
            Kind::Ne => "!=",
            Kind::Lt => "<",
            Kind::Lte => "<=",
            Kind::Gt => ">",
            Kind::Gte => ">=",
            Kind::In | Kind::NotIn => "in",
        };
        let one = call(name, vec![expression(left)?, expression(&step.expr)?], span);
        let one = if matches!(step.op, Kind::NotIn) { not(one, span) } else { one };
        whole = Some(match whole {
            None => one,
            Some(left) => {
                let node = ast::BinOp { op: ast::BinOpKind::ScAnd, left, right: one };
                Expr::BinOp(Spanned::new(node, span))
            }
        });
        left = &step.expr;
    }
    whole.ok_or_else(|| failure("a comparison of nothing"))
}

/// Whether an expression is a variable, a constant or an attribute of one.
fn is_simple(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Var(_) | Expr::Const(_) => true,
        Expr::GetAttr(attribute) => is_simple(&attribute.expr),
        _ => false,
    }
}
