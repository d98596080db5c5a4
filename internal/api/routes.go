package api

import (
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// policy says who may use a route. It has no usable zero value: a route is
// open, for everybody who is known, or needs a scope; or it is one of another
// face, which judges further.
type policy struct {
	open  bool
	known bool
	fresh bool // whoever uses it has proved himself just now
	scope molecule.Scope
	other Admission
}

// open lets everyone in, also without a principal.
func open() policy { return policy{open: true} }

// needs lets in a principal that has the scope.
func needs(s molecule.Scope) policy { return policy{scope: s} }

// known lets in every principal.
func known() policy { return policy{known: true} }

// freshly is needs for a principal that proved itself just now.
func freshly(s molecule.Scope) policy { return policy{scope: s, fresh: true} }

// handler answers one request or returns why it could not.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one row of the table. The rows are written without field names, so
// that one without a policy does not compile.
type route struct {
	method string
	path   string
	policy policy
	handle handler
}

// Routes returns every route of the table as METHOD /path, for what walks them.
func Routes() []string {
	var all []string
	for _, rt := range new(Server).routes() {
		all = append(all, rt.method+" "+rt.path)
	}
	return all
}

// routes returns the table of everything the daemon answers.
func (s *Server) routes() []route {
	const (
		live      = molecule.ScopeLivenessRead
		agents    = molecule.ScopeAgentsRead
		agentsW   = molecule.ScopeAgentsWrite
		schedules = molecule.ScopeSchedulesRead
		schedW    = molecule.ScopeSchedulesWrite
	)
	return []route{
		{"GET", wire.PathHealth, open(), s.health},
		{"GET", wire.PathReady, open(), s.ready},
		{"GET", wire.PathMetrics, open(), s.metrics},

		{"GET", wire.PathAdminLiveness, needs(live), s.liveness},
		{"GET", wire.PathSchedulerHealth, needs(live), s.schedulerHealth},
		{"GET", wire.PathLiveness, needs(live), s.liveness},
		{"GET", wire.PathSubsystems + "/{name}/dump", needs(live), s.dump},
		{"GET", wire.PathStatus, needs(live), s.status},

		{"GET", wire.PathAgents, needs(agents), s.agentList},
		{"POST", wire.PathAgents, needs(agentsW), s.createAgent},
		{"GET", wire.PathAgents + "/{ref}", needs(agents), s.agent},
		{"PATCH", wire.PathAgents + "/{ref}", needs(agentsW), s.updateAgent},
		{"DELETE", wire.PathAgents + "/{ref}", needs(agentsW), s.removeAgent},
		{"POST", wire.PathAgents + "/{ref}/pause", needs(agentsW), s.pauseAgent},
		{"POST", wire.PathAgents + "/{ref}/resume", needs(agentsW), s.resumeAgent},
		{"POST", wire.PathAgents + "/{ref}/confirm-offline", needs(agentsW), s.confirmOffline},
		{"GET", wire.PathAgents + "/{ref}/history", needs(agents), s.agentHistory},
		{"POST", wire.PathEnrolments, needs(agentsW), s.createEnrolment},

		{"GET", wire.PathSchedules, needs(schedules), s.scheduleList},
		{"POST", wire.PathSchedules, needs(schedW), s.createSchedule},
		{"POST", wire.PathScheduleImport, needs(schedW), s.importSchedules},
		{"GET", wire.PathSchedules + "/{ref}", needs(schedules), s.schedule},
		{"PATCH", wire.PathSchedules + "/{ref}", needs(schedW), s.updateSchedule},
		{"DELETE", wire.PathSchedules + "/{ref}", needs(schedW), s.removeSchedule},
		{"POST", wire.PathSchedules + "/{ref}/pause", needs(schedW), s.pauseSchedule},
		{"POST", wire.PathSchedules + "/{ref}/resume", needs(schedW), s.resumeSchedule},
		{"POST", wire.PathSchedules + "/{ref}/runs", needs(schedW), s.triggerSchedule},
		{"GET", wire.PathSchedules + "/{ref}/next", needs(schedules), s.nextSlots},
		{"GET", wire.PathSchedules + "/{ref}/why", needs(schedules), s.explainSlot},
		{"GET", wire.PathSchedules + "/{ref}/history", needs(schedules), s.scheduleHistory},

		{"GET", wire.PathCalendars, needs(schedules), s.calendarList},
		{"GET", wire.PathCalendars + "/{ref}", needs(schedules), s.calendar},
		{"PUT", wire.PathCalendars + "/{ref}", needs(schedW), s.putCalendar},
		{"DELETE", wire.PathCalendars + "/{ref}", needs(schedW), s.removeCalendar},

		{"GET", wire.PathRuns, needs(schedules), s.runList},
		{"POST", wire.PathRuns, needs(schedW), s.startRun},
		{"GET", wire.PathRuns + "/{ref}", needs(schedules), s.run},
		{"POST", wire.PathRuns + "/{ref}/cancel", needs(schedW), s.cancelRun},
		{"POST", wire.PathRuns + "/{ref}/retry", needs(schedW), s.retryRun},

		{"GET", wire.PathIncidents, needs(live), s.incidentList},
		{"GET", wire.PathIncidents + "/{ref}", needs(live), s.incident},
		{"POST", wire.PathIncidents + "/{ref}/ack", needs(schedW), s.ackIncident},

		{"GET", wire.PathSecrets, needs(molecule.ScopeSecretsMeta), s.secretList},
		{"POST", wire.PathSecrets, freshly(molecule.ScopeSecretsRotate), s.addSecret},
		{"GET", wire.PathSecrets + "/{ref}", needs(molecule.ScopeSecretsMeta), s.secret},
		{"DELETE", wire.PathSecrets + "/{ref}", freshly(molecule.ScopeSecretsRotate), s.removeSecret},
		{"POST", wire.PathSecrets + "/{ref}/versions", freshly(molecule.ScopeSecretsRotate), s.setSecret},
		{"POST", wire.PathSecrets + "/{ref}/reveal", freshly(molecule.ScopeAdmin), s.revealSecret},
		{"POST", wire.PathVault + "/rewrap", freshly(molecule.ScopeAdmin), s.rewrapSecrets},
		{"GET", wire.PathVault + "/map", needs(molecule.ScopeSecretsMeta), s.secretMap},
		{"PUT", wire.PathVault + "/map", freshly(molecule.ScopeSecretsRotate), s.applySecretMap},
		{"GET", wire.PathVault + "/copies", needs(molecule.ScopeSecretsMeta), s.secretCopies},
		{"GET", wire.PathSecrets + "/{ref}/plan", needs(molecule.ScopeSecretsMeta), s.planRotation},
		{"POST", wire.PathSecrets + "/{ref}/rotate", freshly(molecule.ScopeSecretsRotate), s.rotateSecret},
		{"GET", wire.PathRotations, needs(molecule.ScopeSecretsMeta), s.rotationList},
		{"GET", wire.PathRotations + "/{ref}", needs(molecule.ScopeSecretsMeta), s.rotation},
		{"GET", wire.PathRotations + "/{ref}/journal", needs(molecule.ScopeSecretsMeta), s.rotationJournal},
		{"POST", wire.PathRotations + "/{ref}/resume", freshly(molecule.ScopeSecretsRotate), s.orderRotation(molecule.RotationService.ResumeRotation)},
		{"POST", wire.PathRotations + "/{ref}/rollback", freshly(molecule.ScopeSecretsRotate), s.orderRotation(molecule.RotationService.RollBackRotation)},
		{"POST", wire.PathRotations + "/{ref}/abandon", freshly(molecule.ScopeSecretsRotate), s.orderRotation(molecule.RotationService.AbandonRotation)},

		{"GET", wire.PathWhoAmI, known(), s.whoAmI},
		{"GET", wire.PathTokens, needs(molecule.ScopeTokensAdmin), s.tokenList},
		{"POST", wire.PathTokens, freshly(molecule.ScopeTokensAdmin), s.createToken},
		{"DELETE", wire.PathTokens + "/{ref}", freshly(molecule.ScopeTokensAdmin), s.revokeToken},

		{"GET", wire.PathAudit, needs(molecule.ScopeAdmin), s.auditList},
		{"POST", wire.PathAudit + "/verify", needs(molecule.ScopeAdmin), s.verifyAudit},

		{"GET", wire.PathEvents, needs(schedules), s.events},
		{"GET", wire.PathEvents + "/last", needs(schedules), s.lastEvent},
	}
}
