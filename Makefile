# CallData Foundation. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

STACK    ?= dev
JOBS     ?= 2
CALLDATA := bin/calldata
CACHE    := $(or $(CALLDATA_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/calldata-foundation)
# Mirrors of Go's checksum database lack some modules; the hashes that count are in the committed go.sum files.
export GONOSUMDB ?= *
export GOFLAGS   ?= -buildvcs=false
# What `calldata version` knows of itself; the go command's own note fails in clones of other users.
VERSION  := github.com/calldata/calldata-foundation/infra/calldata/version
GO_FILES := $(shell find . -name '*.go' -not -path './.calldata/*' 2>/dev/null) go.mod go.sum

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: rehearse
rehearse: packages $(CALLDATA) ## Deploy $(STACK) offline from nothing to an answered call, and remove it
	@$(CALLDATA) rehearse $(STACK) $(ARGS)

.PHONY: test
test: packages $(CALLDATA) ## Every test: units, components, the engine on the emulator, roles, rehearsals of dev and stage
	$(CALLDATA) tools prepare
	go vet ./...
	go test -race -timeout 60m -p 2 ./...
	$(MAKE) --no-print-directory test-modules molecule
	$(CALLDATA) rehearse dev
	$(CALLDATA) rehearse stage --twice

.PHONY: molecule
molecule: packages $(CALLDATA) ## Test roles and playbooks on machines of their own, JOBS at a time, or one: make molecule ROLE=common
	@find ansible -type d -path '*/$(or $(ROLE),*)/molecule/default' -printf '%P\n' | sort | sed 's|/molecule/default$$||' | \
	  xargs -P $(JOBS) -n 1 .ci/molecule

.PHONY: test-modules
test-modules: ## Tests of the modules that stand alone
	cd infra/rehearsal/providers/commandprovider && go test -race ./...

.PHONY: test-short
test-short: ## Only the tests that need no engine, no emulator and no machines
	go test -short ./...

.PHONY: golden
golden: ## Write the golden files anew; read the diff before you commit it
	go test ./ansible/rolereference ./infra/calldata/routing/compile ./stacks ./stacks/deploy ./components/reference ./components/observability/prometheus ./components/observability/dashboards ./infra/policy ./infra/calldata/topology ./infra/calldata/dashboard ./infra/calldata/cost ./infra/calldata/preflight ./infra/calldata -run Golden -update

.PHONY: lint
lint: packages $(CALLDATA) ## gofmt, vet, golangci-lint, ansible-lint, yamllint, shellcheck
	.ci/lint

.PHONY: audit
audit: ## Secrets in the history, known vulnerabilities of Go and Python, the rules of the workflows; ONLY=secrets, go, python or workflows
	.ci/audit $(ONLY)

.PHONY: operator
operator: $(CALLDATA) .calldata/operator/bin/ansible-playbook ## What a deployment needs beside Pulumi: the command, and Ansible in .calldata/operator

.calldata/operator/bin/ansible-playbook: infra/rehearsal/pyenv/requirements.txt
	python3 -m venv --clear .calldata/operator
	.calldata/operator/bin/pip install -q --disable-pip-version-check --require-hashes -r $<
	touch $@

.PHONY: tools
tools: packages $(CALLDATA) ## Fetch or build everything that a rehearsal and the tests need
	$(CALLDATA) tools prepare

.PHONY: policies
policies: ## Build the policy pack: pulumi preview --policy-pack bin/calldata-policies
	go build -o bin/calldata-policies ./infra/policy/pack

.PHONY: packages
packages: ## Install the Debian packages that the rehearsal needs, where that is allowed
	@.ci/packages

$(CALLDATA): $(GO_FILES)
	@mkdir -p $(@D)
	go build -ldflags "-X $(VERSION).number=$$(git describe --tags --match 'v*' 2>/dev/null || true) \
	  -X $(VERSION).commit=$$(git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || true)" -o $@ ./infra/calldata

.PHONY: clean
clean: ## Remove what was built here, logs, and what a crashed rehearsal left; learnt host keys stay
	@if [ -x $(CALLDATA) ] && [ "$$(id -u)" = 0 ]; then $(CALLDATA) rehearse $(STACK) --stop; fi
	rm -rf bin .calldata/bin .calldata/wazo-ansible .calldata/galaxy .calldata/*/rehearsal .calldata/*/logs

.PHONY: clean-cache
clean-cache: clean ## Also remove the shared cache: engine, image, Python environments
	rm -rf $(CACHE)
