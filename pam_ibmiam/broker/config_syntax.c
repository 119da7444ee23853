/* Grammar of the configuration.  See config_syntax.h. */
#include "config_syntax.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 4, NAMES_MAX = 32 };

enum token { END, WORD, STRING, ASSIGN, APPEND, COMMA, OPEN, CLOSE, TOKENS };

/* What has been read of a statement. */
enum state { NOTHING, KEY, TITLE, EQUALS, LIST_BEGUN, LIST_ITEM, LIST_COMMA, STATES };

static const char key_quoted[] = "a key stands without quotes, and a value follows an equals sign";
static const char no_equals[] = "expects = after a key, or a title and { after the name of a block";
static const char no_brace[] = "expects = after a key, or { after the title of a block";
static const char no_value[] = "expects a value after the equals sign";
static const char no_item[] = "expects a value in a list";
static const char no_comma[] = "expects a comma or } after a value in a list";
static const char no_statement[] = "expects a key or a block";
static const char not_closed[] = "a section or list that begins here is never closed";

struct step {
	enum state next;
	const char *fault; /* instead of a next state */
};

#define GO(state) { .next = (state), .fault = NULL }
#define NO(text) { .next = NOTHING, .fault = (text) }

static const struct step steps[STATES][TOKENS] = {
	[NOTHING] = { [END] = GO(NOTHING), [WORD] = GO(KEY), [STRING] = NO(key_quoted),
		      [ASSIGN] = NO(no_statement), [APPEND] = NO(no_statement),
		      [COMMA] = NO(no_statement), [OPEN] = NO(no_statement),
		      [CLOSE] = GO(NOTHING) },
	[KEY] = { [END] = NO(no_equals), [WORD] = GO(TITLE), [STRING] = GO(TITLE),
		  [ASSIGN] = GO(EQUALS), [APPEND] = GO(EQUALS), [COMMA] = NO(no_equals),
		  [OPEN] = NO(no_equals), [CLOSE] = NO(no_equals) },
	[TITLE] = { [END] = NO(no_brace), [WORD] = NO(no_brace), [STRING] = NO(no_brace),
		    [ASSIGN] = NO(no_brace), [APPEND] = NO(no_brace), [COMMA] = NO(no_brace),
		    [OPEN] = GO(NOTHING), [CLOSE] = NO(no_brace) },
	[EQUALS] = { [END] = NO(no_value), [WORD] = GO(NOTHING), [STRING] = GO(NOTHING),
		     [ASSIGN] = NO(no_value), [APPEND] = NO(no_value), [COMMA] = NO(no_value),
		     [OPEN] = GO(LIST_BEGUN), [CLOSE] = NO(no_value) },
	[LIST_BEGUN] = { [END] = NO(not_closed), [WORD] = GO(LIST_ITEM), [STRING] = GO(LIST_ITEM),
			 [ASSIGN] = NO(no_item), [APPEND] = NO(no_item), [COMMA] = NO(no_item),
			 [OPEN] = NO(no_item), [CLOSE] = GO(NOTHING) },
	[LIST_ITEM] = { [END] = NO(not_closed), [WORD] = NO(no_comma), [STRING] = NO(no_comma),
			[ASSIGN] = NO(no_comma), [APPEND] = NO(no_comma), [COMMA] = GO(LIST_COMMA),
			[OPEN] = NO(no_comma), [CLOSE] = GO(NOTHING) },
	[LIST_COMMA] = { [END] = NO(not_closed), [WORD] = GO(LIST_ITEM), [STRING] = GO(LIST_ITEM),
			 [ASSIGN] = NO(no_item), [APPEND] = NO(no_item), [COMMA] = NO(no_item),
			 [OPEN] = NO(no_item), [CLOSE] = GO(NOTHING) },
};

struct word {
	const char *at;
	size_t len;
};

struct scope { /* the file itself, a section or a list */
	unsigned int line;
	struct word key; /* that it belongs to */
	unsigned int names;
	struct word name[NAMES_MAX];
};

struct lexer {
	char *p, *end;
	unsigned int line;
	struct word word; /* the token, where that is a word */
	struct word key;  /* of the statement */
	unsigned int depth;
	struct scope scope[DEPTH_MAX];
};

static bool is_word(char c)
{
	return c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", c);
}

/* From the opening quote to behind the closing one. */
static const char *read_string(struct lexer *x)
{
	const char quote = *x->p;

	for (x->p++; x->p < x->end; x->p++) {
		char c = *x->p, next = '\0';

		if (x->p + 1 < x->end)
			next = x->p[1];
		if (c == quote) {
			x->p++;
			return NULL;
		}
		if (c == '\n')
			break;
		if ((c >= 0 && c < ' ') || c == 0x7f)
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

static void skip_space(struct lexer *x)
{
	bool comment = false;

	for (; x->p < x->end && (comment || strchr(" \t\r\n#", *x->p)) && *x->p; x->p++) {
		if (*x->p == '\n') {
			x->line++;
			comment = false;
		} else if (comment || *x->p == '#') {
			comment = true;
			*x->p = ' ';
		}
	}
}

static const char *read_sign(struct lexer *x, enum token *ret)
{
	switch (*x->p++) {
	case '=':
		*ret = ASSIGN;
		return NULL;
	case '+':
		if (x->p == x->end || *x->p != '=')
			return "a + that is not part of +=";
		x->p++;
		*ret = APPEND;
		return NULL;
	case '{':
		*ret = OPEN;
		return NULL;
	case '}':
		*ret = CLOSE;
		return NULL;
	case ',':
		*ret = COMMA;
		return NULL;
	case '/':
		return "comments begin with #; a value with a slash goes into quotes";
	default:
		return "an unexpected character; values go into double quotes";
	}
}

static const char *read_token(struct lexer *x, enum token *ret)
{
	skip_space(x);
	x->word = (struct word){ .at = x->p };
	*ret = x->p == x->end ? END : WORD;
	if (*ret == END)
		return NULL;
	if (*x->p == '"' || *x->p == '\'') {
		*ret = STRING;
		return read_string(x);
	}
	if (!is_word(*x->p))
		return read_sign(x, ret);
	while (x->p < x->end && is_word(*x->p))
		x->p++;
	x->word.len = (size_t)(x->p - x->word.at);
	return NULL;
}

/* Remembers the key of an assignment; to set it after that in one scope is a mistake, to
 * append to it is not. */
static const char *remember_key(struct lexer *x, enum token token)
{
	struct scope *s = &x->scope[x->depth];

	for (unsigned int i = 0; i < s->names; i++)
		if (s->name[i].len == x->key.len &&
		    memcmp(s->name[i].at, x->key.at, x->key.len) == 0)
			return token == ASSIGN ? "set twice" : NULL;
	/* More names than there are keys: libconfuse will refuse the unknown ones. */
	if (s->names < NAMES_MAX)
		s->name[s->names++] = x->key;
	return NULL;
}

static const char *change_depth(struct lexer *x, enum token token)
{
	if (token == OPEN) {
		if (x->depth + 1 == DEPTH_MAX)
			return "sections are nested too deeply";
		x->depth++;
		x->scope[x->depth] = (struct scope){ .line = x->line, .key = x->key };
	} else if (token == CLOSE) {
		if (x->depth == 0)
			return "a closing brace without an opening one";
		x->depth--;
	}
	return NULL;
}

/* Takes one token; *state is what has been read before and after it. */
static const char *advance(struct lexer *x, enum state *state, struct word *candidate,
			   enum token *token)
{
	enum state before = *state;
	unsigned int line = x->line;
	const char *fault = read_token(x, token);
	const struct step *step = &steps[before][*token];

	if (before == KEY)
		x->key = *candidate;
	if (fault)
		return fault;
	if (step->fault) {
		if (before == KEY || before == TITLE || before == EQUALS)
			x->line = line; /* where something is missing, not where the next begins */
		return step->fault;
	}
	*state = step->next;
	if (before == NOTHING)
		*candidate = x->word;
	if (*token == ASSIGN || *token == APPEND)
		fault = remember_key(x, *token);
	return fault ? fault : change_depth(x, *token);
}

int config_syntax_check(char *text, size_t len, struct config_syntax_fault *ret)
{
	struct lexer x = { .p = text, .end = text + len, .line = 1, .key = { text, 0 } };
	struct word candidate = { text, 0 };
	enum state state = NOTHING;
	enum token token = WORD;
	const char *fault = NULL;

	while (token != END && !fault)
		fault = advance(&x, &state, &candidate, &token);
	if (token == END && x.depth > 0 && (!fault || fault == not_closed)) {
		fault = not_closed;
		x.line = x.scope[x.depth].line;
		x.key = x.scope[x.depth].key;
	}
	if (!fault)
		return 0;
	*ret = (struct config_syntax_fault){ .text = fault, .line = x.line, .key = x.key.at,
					     .key_len = x.key.len };
	return -1;
}

/* Writes the lines of the blocks from number `first` on, at most max of them.  Returns how many
 * there are in all. */
static size_t find_blocks(char *text, size_t len, size_t first, unsigned int *lines, size_t max)
{
	struct lexer x = { .p = text, .end = text + len, .line = 1, .key = { text, 0 } };
	struct word candidate = { text, 0 };
	enum state state = NOTHING;
	enum token token = WORD;
	size_t n = 0;

	while (token != END && (n < first + max || max == 0)) {
		enum state before = state;

		if (advance(&x, &state, &candidate, &token))
			break;
		if (before != TITLE || x.depth != 1)
			continue;
		if (n >= first && max > 0)
			lines[n - first] = x.line;
		n++;
	}
	return n;
}

unsigned int config_syntax_block_line(char *text, size_t len, size_t n)
{
	unsigned int line = 0;

	(void)find_blocks(text, len, n, &line, 1);
	return line;
}

unsigned int *config_syntax_block_lines(char *text, size_t len)
{
	size_t n = find_blocks(text, len, 0, NULL, 0);
	unsigned int *lines = calloc(n + 1, sizeof *lines);

	if (lines && n > 0)
		(void)find_blocks(text, len, 0, lines, n);
	return lines;
}
