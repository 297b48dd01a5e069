/** The example documents of the three state managers, as their descriptions have them. */

export const parallelDevExample = {
  version: '2.0',
  sessions: [
    {
      id: '2024-06-17-001',
      status: 'active',
      started_at: '2024-06-17T10:00:00Z',
      updated_at: '2024-06-17T10:30:00Z',
      options: {},
      tasks: {
        task_id: {
          status: 'pending',
          branch: 'feature/task-id',
          worktree: '.worktrees/task-id',
          pr_number: null,
          phases: {},
          metrics: {},
        },
      },
      metrics: {
        total_tasks: 10,
        completed: 5,
        in_progress: 2,
        failed: 0,
        average_time_minutes: 25,
      },
    },
  ],
};

export const orchestratorExample = {
  version: '1.0.0',
  session_id: 'speckit-orch-20251226-143022',
  started_at: '2025-12-26T14:30:22Z',
  updated_at: '2025-12-26T15:15:45Z',
  status: 'running',
  config: {
    guide_path: './speckit-guide.md',
    workers_count: 4,
    project_name: 'Vidiwo',
    project_path: '/home/dev/projects/Vidiwo',
  },
  progress: { total_features: 20, completed: 12, in_progress: 3, pending: 5, failed: 0 },
  features: {
    '001': {
      name: 'channel-management',
      status: 'completed',
      priority: 'P0',
      phase: 1,
      dependencies: [],
      steps_completed: ['specify', 'clarify', 'plan', 'tasks', 'analyze', 'implement'],
      current_step: null,
      worker_id: null,
      started_at: '2025-12-26T14:30:30Z',
      completed_at: '2025-12-26T14:45:12Z',
      retry_count: 0,
      error: null,
      summary: 'Channel CRUD API implemented with validation',
    },
  },
  workers: { W1: { status: 'busy', current_feature: '013' } },
  logs: [{ timestamp: '2025-12-26T15:15:45Z', level: 'info', message: 'Worker W1 started Feature 013' }],
};

export const episodeExample = {
  episode_number: 1,
  topic: 'The Dirty Secret: Even Experts Make It Up',
  session_id: 'ep_001_20250903_143022',
  status: 'audio',
  phases: {
    research: {
      status: 'complete',
      cost: 1.05,
      start_time: '2025-09-03T14:30:22Z',
      end_time: '2025-09-03T14:37:45Z',
      checkpoint: 'research_complete.json',
    },
    script: {
      status: 'complete',
      cost: 0.85,
      start_time: '2025-09-03T14:38:00Z',
      end_time: '2025-09-03T14:42:30Z',
      checkpoint: 'script_complete.json',
    },
    audio: {
      status: 'active',
      cost: 0.0,
      start_time: '2025-09-03T14:43:00Z',
      end_time: null,
      checkpoint: null,
    },
  },
  total_cost: 1.9,
  quality_scores: {
    research_depth: 9.2,
    brand_consistency: 0.92,
    technical_accuracy: 0.88,
    consensus_score: 0.87,
  },
  created_at: '2025-09-03T14:30:22Z',
  updated_at: '2025-09-03T14:43:00Z',
};

export const productionExample = {
  version: '3.0.0',
  active_episodes: {
    ep_001_20250903_143022: episodeExample,
    ep_002_20250903_150530: {
      ...episodeExample,
      episode_number: 2,
      session_id: 'ep_002_20250903_150530',
      status: 'initialized',
      phases: {
        research: { status: 'pending', cost: 0, start_time: null, end_time: null, checkpoint: null },
        script: { status: 'pending', cost: 0, start_time: null, end_time: null, checkpoint: null },
        audio: { status: 'pending', cost: 0, start_time: null, end_time: null, checkpoint: null },
      },
      total_cost: 0,
      quality_scores: {},
      created_at: '2025-09-03T15:05:30Z',
      updated_at: '2025-09-03T15:05:30Z',
    },
  },
  completed_episodes: {
    ep_001_20250902_093015: {
      ...episodeExample,
      session_id: 'ep_001_20250902_093015',
      status: 'archived',
      created_at: '2025-09-02T09:30:15Z',
      updated_at: '2025-09-02T10:00:00Z',
    },
  },
  total_cost: 127.45,
  total_episodes: 25,
  last_updated: '2025-09-03T15:05:30Z',
  metrics: { avg_cost_per_episode: 5.51, avg_production_time: 22.3, success_rate: 0.94 },
};
