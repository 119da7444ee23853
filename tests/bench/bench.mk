# What a login costs, side by side with what else does it; ten minutes, so not part of check.
# Installs nginx-light, which Debian also starts by itself: use a throw-away machine.
#   make bench              prints the tables, writes $(BUILD)/bench/results.md and plot.svg
#   make bench RECORD=1     writes them into tests/bench instead, to be committed
#   make bench QUICK=1      a tenth of the samples, for a look
#   make bench-instructions compares the instructions of our own code with tests/bench/instructions
#                           (RECORD=1 writes that file)
BENCH_PACKAGES := nginx-light strace valgrind libssl-dev curl

BENCH_PROGRAMS := $(addprefix $(BUILD)/tests/bench/,host delay tlsclient curlclient sessions inprocess.so)

bench: deps
	@tests/deps $(BENCH_PACKAGES)
	@$(MAKE) -s --no-print-directory all $(BENCH_PROGRAMS)
	@mkdir -p $(BUILD)/bench
	@BUILD=$(abspath $(BUILD)) QUICK=$(QUICK) tests/bench/bench >$(BUILD)/bench/results.json
	@tests/bench/report $(BUILD)/bench/results.json $(if $(RECORD),tests/bench,$(BUILD)/bench)

bench-instructions: deps
	@tests/deps $(BENCH_PACKAGES)
	@$(MAKE) -s --no-print-directory all $(BUILD)/tests/bench/broker
	@BUILD=$(abspath $(BUILD)) CC='$(CC)' tests/bench/count-instructions \
		$(if $(RECORD),--record >tests/bench/instructions)

$(BUILD)/tests/bench/host: BENCH_LIBS := -lpam
$(BUILD)/tests/bench/sessions: $(COMMON)
$(BUILD)/tests/bench/tlsclient: BENCH_LIBS := -lssl -lcrypto
$(BUILD)/tests/bench/curlclient: BENCH_LIBS := -lcurl
$(BUILD)/tests/bench/curlclient: $(BUILD)/tests/bench/curlpost.o
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(BENCH_LIBS)

$(BUILD)/tests/bench/inprocess.so: $(BUILD)/tests/bench/inprocess.o $(BUILD)/tests/bench/curlpost.o
	$(call say,LINK)
	$(Q)$(CC) -shared $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lpam -lcurl -lcjson

# The broker without its sandbox, which valgrind could not work in.
$(BUILD)/tests/bench/broker: $(filter-out %/sandbox.o %/landlock.o %/syscalls.o,$(BROKER)) $(COMMON) \
		$(BUILD)/tests/bench/nosandbox.o
	$(call say,LINK)
	$(Q)$(CC) -pie $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(BROKER_LIBS)

$(BUILD)/tests/bench/nosandbox.o: ALL_CFLAGS += -Ipam_ibmiam/broker

-include $(wildcard $(BUILD)/tests/bench/*.d)

.PHONY: bench bench-instructions
