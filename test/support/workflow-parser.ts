/** GitHub's own parser of workflows and actions. It is bundled to be used, since Node 20 does not load it as it is. */
export { NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser';
export { parseAction } from '@actions/workflow-parser/actions/action-parser';
