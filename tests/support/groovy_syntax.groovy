// Compiles each file named, up to what can be known without Jenkins, and prints the method calls of
// its syntax tree: a line per call, with the names of the blocks around it and its constant texts.
import org.codehaus.groovy.ast.CodeVisitorSupport
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.control.*

class Calls extends CodeVisitorSupport {
  List<String> around = []

  void visitMethodCallExpression(MethodCallExpression call) {
    def texts = []
    def closures = []
    def each = { one ->
      if (one instanceof ClosureExpression) closures << one
      else if (one instanceof MapExpression) one.mapEntryExpressions.each { texts << it.keyExpression.text + '=' + it.valueExpression.text }
      else texts << one.text
    }
    if (call.arguments instanceof TupleExpression) call.arguments.expressions.each(each) else each(call.arguments)
    println([around.join('/'), call.methodAsString, *texts].collect { it.toString().replace('\t', ' ').replace('\n', ' ') }.join('\t'))
    around.push(call.methodAsString + (call.methodAsString == 'stage' && texts ? ":${texts[0]}" : ''))
    call.objectExpression.visit(this)
    call.arguments.visit(this)
    around.pop()
  }

  void visitClosureExpression(ClosureExpression closure) { closure.code.visit(this) }
}

args.each { name ->
  def unit = new CompilationUnit()
  unit.addSource(name, new File(name).getText('UTF-8'))
  unit.compile(Phases.CONVERSION)
  unit.AST.modules.each { it.statementBlock.visit(new Calls()) }
}
