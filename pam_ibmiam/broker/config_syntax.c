/* Lexical strictness before libconfuse.  See config_syntax.h. */
#include "config_syntax.h"

#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 8, NAMES_MAX = 32 };

struct word {
	const char *at;
	size_t len;
};

struct scope { /* the file itself, a section or a list */
	unsigned int line;
	unsigned int names;
	struct word name[NAMES_MAX];
};

struct lexer {
	const char *p, *end;
	unsigned int line;
	struct word word; /* the last bare word */
	unsigned int depth;
	struct scope scope[DEPTH_MAX];
};

static bool is_word(char c)
{
	return c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", c);
}

/* From the opening quote to behind the closing one. */
static const char *skip_string(struct lexer *x)
{
	char quote = *x->p++;

	for (; x->p < x->end; x->p++) {
		unsigned char c = (unsigned char)*x->p;
		char next = x->p + 1 < x->end ? x->p[1] : '\0';

		if (c == (unsigned char)quote) {
			x->p++;
			return NULL;
		}
		if (c == '\n')
			break;
		if (c < 0x20 || c == 0x7f)
			return "a control character in a string";
		if (c == '$' && next == '{' && quote == '"')
			return "environment variables are not expanded; write \"${\" in single "
			       "quotes if it is meant literally";
		if (c == '\\') {
			if (next != quote && next != '\\')
				return "a backslash in a string may stand only before a quote or "
				       "another backslash";
			x->p++;
		}
	}
	return "a string is not closed on its line";
}

static const char *assign(struct lexer *x, bool append)
{
	struct scope *s = &x->scope[x->depth];

	if (append)
		return NULL;
	for (unsigned int i = 0; i < s->names; i++)
		if (s->name[i].len == x->word.len &&
		    memcmp(s->name[i].at, x->word.at, x->word.len) == 0)
			return "set twice";
	/* More names than there are keys: libconfuse will refuse the unknown ones. */
	if (s->names < NAMES_MAX)
		s->name[s->names++] = x->word;
	return NULL;
}

static const char *open_brace(struct lexer *x)
{
	if (x->depth + 1 == DEPTH_MAX)
		return "sections are nested too deeply";
	x->depth++;
	x->scope[x->depth] = (struct scope){ .line = x->line };
	return NULL;
}

static const char *punctuation(struct lexer *x)
{
	char c = *x->p++;

	switch (c) {
	case ' ':
	case '\t':
	case '\r':
		return NULL;
	case '\n':
		x->line++;
		return NULL;
	case '#':
		while (x->p < x->end && *x->p != '\n')
			x->p++;
		return NULL;
	case '=':
		return assign(x, false);
	case '+':
		if (x->p == x->end || *x->p != '=')
			return "a + that is not part of +=";
		x->p++;
		return assign(x, true);
	case '{':
		return open_brace(x);
	case '}':
		if (x->depth == 0)
			return "a closing brace without an opening one";
		x->depth--;
		return NULL;
	case ',':
		return NULL;
	case '/':
		return "comments begin with #; a value with a slash goes into quotes";
	default:
		return "an unexpected character; values go into double quotes";
	}
}

static const char *next_token(struct lexer *x)
{
	const char *start = x->p;

	if (*x->p == '"' || *x->p == '\'')
		return skip_string(x);
	if (!is_word(*x->p))
		return punctuation(x);
	while (x->p < x->end && is_word(*x->p))
		x->p++;
	x->word = (struct word){ .at = start, .len = (size_t)(x->p - start) };
	return NULL;
}

const char *config_syntax_fault(const char *text, size_t len, unsigned int *line,
				const char **word, size_t *word_len)
{
	struct lexer x = { .p = text, .end = text + len, .line = 1, .word = { text, 0 } };
	const char *fault = NULL;

	while (x.p < x.end && !fault)
		fault = next_token(&x);
	if (!fault && x.depth > 0) {
		fault = "a section or list that begins here is never closed";
		x.line = x.scope[x.depth].line;
	}
	*line = x.line;
	*word = x.word.at;
	*word_len = x.word.len;
	return fault;
}
