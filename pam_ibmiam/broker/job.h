/*
 * A decision under way: it alternates between decision.c, which says what to ask, and iam.c,
 * which asks.
 */
#ifndef IBMIAM_JOB_H
#define IBMIAM_JOB_H

#include "decision.h"
#include "explain.h"
#include "server.h"

struct job {
	struct server *server;
	struct config_live *config;  /* held */
	struct wire_request request; /* strings are its owner's */
	struct decision decision;
	struct iam_exchange *exchange;
	struct explain *explain;     /* what the exchanges were like; NULL unless that is asked for */
	int64_t deadline_ms;
	void (*done)(struct job *job); /* the decision is made; has to free the job */
	struct client *client;       /* whose login it is, or NULL */
	struct session *session;     /* whose renewal it is, or NULL */
};

/* A job that does not run yet; NULL when there is no memory. */
struct job *job_new(struct server *server, const struct wire_request *request, int64_t deadline_ms,
		    void (*done)(struct job *job));

/* Lets it run; done may be called before this returns. */
void job_run(struct job *job);

/* Ends it wherever it is.  Takes NULL. */
void job_free(struct job *job);

#endif
