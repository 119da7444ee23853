/* Decisions and their exchanges.  See job.h. */
#include "job.h"

#include <stdlib.h>

struct job *job_new(struct server *server, const struct wire_request *request, int64_t deadline_ms,
		    void (*done)(struct job *job))
{
	struct job *job = malloc(sizeof *job);

	if (!job)
		return NULL;
	*job = (struct job){ .server = server, .config = config_live_hold(server->config),
			     .request = *request, .deadline_ms = deadline_ms, .done = done,
			     /* Without memory there is less to read, and nothing else is different. */
			     .explain = request->explain ? calloc(1, sizeof *job->explain) : NULL };
	decision_begin(&job->decision, &(struct decision_basis){ .config = &job->config->config,
				.limit = server->limit, .directory = &job->config->directory },
		       &job->request);
	return job;
}

static void on_answer(void *arg)
{
	struct job *job = arg;

	job->exchange = NULL;
	explain_note(job->explain, &job->decision);
	job_run(job);
}

/* False: it cannot be asked, and the answer says why. */
static bool ask(struct job *job)
{
	struct iam_answer *answer = &job->decision.answer;

	iam_answer_free(answer);
	job->decision.question.explain = job->explain != NULL;
	job->exchange = iam_begin(job->server->iam, &job->config->config, &job->decision.question,
				  job->deadline_ms, answer, on_answer, job);
	return job->exchange != NULL;
}

void job_run(struct job *job)
{
	while (!decision_go_on(&job->decision))
		if (ask(job))
			return;
	job->done(job);
}

void job_free(struct job *job)
{
	if (!job)
		return;
	iam_cancel(job->exchange);
	decision_free(&job->decision);
	free(job->explain);
	config_live_release(job->config);
	free(job);
}
